#version 330
// Passes positions and normals, which Python has posed already, on to the fragments.
uniform mat4 projection;   // world to clip space
uniform mat4 shadow;       // world to the clip space of the key light
uniform mat4 eye_space;    // world to camera space
in vec3 position;
in vec3 normal;
in vec3 rest;              // position on the mean head, cm
in vec2 texture_place;
in vec3 tint;              // sRGB
in float kind;
out vec3 world;
out vec3 world_normal;
out vec3 rest_place;
out vec2 texel;
out vec3 color;
out vec4 shadow_place;
out float view_depth;
flat out int material;

void main() {
    gl_Position = projection * vec4(position, 1);
    world = position;
    world_normal = normal;
    rest_place = rest;
    texel = texture_place;
    color = pow(tint, vec3(2.2));
    shadow_place = shadow * vec4(position, 1);
    view_depth = -(eye_space * vec4(position, 1)).z;
    material = int(kind + 0.5);
}
