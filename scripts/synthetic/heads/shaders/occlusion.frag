#version 330
// Ambient occlusion in screen space from depth and normals, by the estimator of McGuire, Mara and Luebke (2012).
const int SAMPLES = 14;
const float RADIUS = 2.6, BIAS = 0.06;  // cm
uniform sampler2D surface;
uniform vec2 tangent;                   // tangents of half the field of view
in vec2 place;
out float result;

vec3 position_at(vec2 where, float depth) {
    return vec3((where * 2.0 - 1.0) * tangent * depth, -depth);
}

void main() {
    vec4 here = texture(surface, place);
    if (here.w <= 0.0) { result = 1.0; return; }
    vec3 center = position_at(place, here.w), normal = normalize(here.xyz);
    float disc = RADIUS / (2.0 * tangent.y * here.w), sum = 0.0;
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    float start = float((pixel.x & 3) * 4 + (pixel.y & 3)) * 0.3926991;
    for (int index = 0; index < SAMPLES; index++) {
        float share = (float(index) + 0.5) / float(SAMPLES), angle = start + float(index) * 2.399963;
        vec2 where = place + disc * share * vec2(cos(angle), sin(angle));
        float depth = texture(surface, where).w;
        if (depth <= 0.0) continue;
        vec3 offset = position_at(where, depth) - center;
        float square = dot(offset, offset);
        float near = max(RADIUS * RADIUS - square, 0.0);
        sum += near * near * near * max((dot(offset, normal) - BIAS) / (square + 0.02), 0.0);
    }
    result = max(0.0, 1.0 - sum * 5.0 * 1.1 / (pow(RADIUS, 6.0) * float(SAMPLES)));
}
