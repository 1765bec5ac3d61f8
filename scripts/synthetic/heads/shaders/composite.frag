#version 330
// Joins direct and ambient light, draws ink or pencil lines, maps tones to sRGB; alpha covers what is not background.
const int FLAT = 4, TOON = 3, SKETCH = 8;
uniform sampler2D direct;
uniform sampler2D ambient;
uniform sampler2D surface;
uniform sampler2D occlusion;
uniform int style;
uniform float line_width;          // pixels
uniform vec3 line_color;           // sRGB
uniform float exposure;
in vec2 place;
out vec4 result;

float hash(vec2 p) { return fract(sin(dot(p, vec2(127.1, 311.7))) * 43758.5453); }

float noise(vec2 p) {
    vec2 cell = floor(p), share = fract(p);
    share = share * share * (3.0 - 2.0 * share);
    return mix(mix(hash(cell), hash(cell + vec2(1, 0)), share.x), mix(hash(cell + vec2(0, 1)), hash(cell + vec2(1, 1)), share.x), share.y);
}

// Mean of 4 x 4 texels by four linear samples, without those of another depth.
float blurred_occlusion() {
    vec2 step = 1.0 / vec2(textureSize(occlusion, 0));
    float depth = texture(surface, place).w, sum = 0.0, total = 0.0;
    for (int row = 0; row < 2; row++)
        for (int column = 0; column < 2; column++) {
            vec2 where = place + (vec2(column, row) * 2.0 - 1.0) * step;
            float weight = abs(texture(surface, where).w - depth) < 1.2 ? 1.0 : 0.05;
            sum += weight * texture(occlusion, where).r;
            total += weight;
        }
    return sum / total;
}

// Lines where depth, normal or material change.
float outline() {
    vec2 step = line_width / vec2(textureSize(surface, 0));
    vec4 here = texture(surface, place);
    float kind = texture(ambient, place).a, line = 0.0;
    for (int index = 0; index < 4; index++) {
        vec2 side = index == 0 ? vec2(1, 0) : index == 1 ? vec2(0, 1) : index == 2 ? vec2(0.7, 0.7) : vec2(0.7, -0.7);
        vec4 first = texture(surface, place + side * step), second = texture(surface, place - side * step);
        bool gap = (first.w <= 0.0) != (second.w <= 0.0);
        float bend = abs(first.w + second.w - 2.0 * here.w);
        float kinds = abs(texture(ambient, place + side * step).a - texture(ambient, place - side * step).a);
        float turn = 1.0 - dot(normalize(first.xyz + 1e-5), normalize(second.xyz + 1e-5));
        line = max(line, gap ? 1.0 : max(max(smoothstep(0.5, 1.1, bend), smoothstep(0.03, 0.05, kinds)), smoothstep(0.75, 1.2, turn)));
    }
    return line;
}

void main() {
    vec4 light = texture(direct, place), around = texture(ambient, place), shape = texture(surface, place);
    float cover = shape.w > 0.0 ? 1.0 : 0.0, shade = blurred_occlusion();
    vec3 color = light.rgb + around.rgb * shade;
    if (style == TOON || style == FLAT) {
        float line = max(outline(), 0.75 * light.a);
        if (style == TOON) color *= mix(0.75, 1.0, smoothstep(0.35, 0.75, shade));
        vec3 mapped = pow(clamp(color * exposure, 0.0, 1.0), vec3(1.0 / 2.2));
        result = vec4(mix(mapped, line_color, line), max(cover, line));
        return;
    }
    vec3 bright = max(color * exposure * mix(0.7, 1.0, shade), 0.0);
    vec3 mapped = pow(clamp(bright * (1.0 + bright * 0.16) / (1.0 + bright * 0.42), 0.0, 1.0), vec3(1.0 / 2.2));
    if (style == SKETCH) {
        vec2 pixel = place * vec2(textureSize(surface, 0));
        float dark = 1.0 - dot(mapped, vec3(0.3, 0.59, 0.11));
        vec2 bent = pixel + 3.0 * vec2(noise(pixel / 17.0), noise(pixel / 13.0 + 9.0));
        float strokes = 0.0;
        for (int index = 0; index < 3; index++) {
            float angle = 0.8 + float(index) * 1.05, limit = 0.2 + 0.2 * float(index);
            float wave = sin((bent.x * cos(angle) + bent.y * sin(angle)) * 1.15);
            strokes = max(strokes, smoothstep(limit, limit + 0.35, dark) * smoothstep(0.1, 0.75, wave) * (0.55 + 0.45 * noise(pixel / 3.0)));
        }
        float tone = 0.65 * smoothstep(0.15, 1.0, dark);
        float line = max(outline() * (0.6 + 0.4 * noise(pixel / 5.0)), 0.7 * light.a);
        result = vec4(mix(vec3(0.97), line_color, max(max(strokes * 0.75, tone * 0.8), line)), max(cover, line));
        return;
    }
    result = vec4(mapped, cover);
}
