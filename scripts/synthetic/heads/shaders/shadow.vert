#version 330
uniform mat4 shadow;
in vec3 position;
void main() { gl_Position = shadow * vec4(position, 1); }
