#version 330
// Shades one fragment in the style of a family. The light is kept in two parts, since ambient occlusion dims the ambient one only.
const int SKIN = 0, NECK = 1, MOUTH = 2, TEETH = 3, EYE = 4, HAIR = 5, CLOTH = 6, PLASTIC = 7, METAL = 8;
const float EYEBALL = 1.62;  // radius in cm
const int SCAN = 0, FEATURE = 1, CLAY = 2, TOON = 3, FLAT = 4, FANTASY = 5, DOLL = 6, LOWPOLY = 7, SKETCH = 8, PUPPET = 9;

uniform sampler2D skin_color;
uniform sampler2D skin_relief;     // cm
uniform sampler2D folds_a;
uniform sampler2D folds_b;
uniform vec4 fold_weights_a;
uniform vec4 fold_weights_b;
uniform sampler2DShadow shadow_map;
uniform int style;
uniform mat3 camera_rotation;
uniform vec3 camera_place;
uniform vec3 key_direction;
uniform vec3 key_color;
uniform vec3 fill_direction;
uniform vec3 fill_color;
uniform vec3 rim_direction;
uniform vec3 rim_color;
uniform vec3 sky_color;
uniform vec3 ground_color;
uniform vec3 eye_center;           // of the left eyeball on the mean head; the right one mirrors it
uniform vec3 eye_axis;
uniform vec3 iris_color;
uniform vec3 sclera_color;
uniform float iris_radius;         // cm
uniform float pupil_radius;

in vec3 world;
in vec3 world_normal;
in vec3 rest_place;
in vec2 texel;
in vec3 color;
in vec4 shadow_place;
in float view_depth;
flat in int material;

layout(location = 0) out vec4 direct;      // linear RGB; alpha: ink of drawn styles
layout(location = 1) out vec4 ambient;     // linear RGB; alpha: material
layout(location = 2) out vec4 surface;     // normal in camera space; depth in cm

float hash(vec3 p) {
    return fract(sin(dot(p, vec3(12.9898, 78.233, 37.719))) * 43758.5453);
}

float lit_share() {
    vec3 place = shadow_place.xyz / shadow_place.w * 0.5 + 0.5;
    float sum = 0.0;
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++)
            sum += texture(shadow_map, vec3(place.xy + (vec2(column, row) - 1.0) * 0.0022, place.z - 0.004));
    return sum / 9.0;
}

// Bump mapping on an unparametrised surface (Mikkelsen 2010).
vec3 bumped(vec3 normal, float height) {
    vec3 across = dFdx(world), down = dFdy(world);
    vec3 first = cross(down, normal), second = cross(normal, across);
    float determinant = dot(across, first);
    vec3 gradient = sign(determinant) * (dFdx(height) * first + dFdy(height) * second);
    return normalize(abs(determinant) * normal - gradient);
}

vec3 eye_albedo() {
    vec3 center = eye_center, axis = eye_axis;
    if (rest_place.x < 0.0) { center.x = -center.x; axis.x = -axis.x; }
    vec3 direction = normalize(rest_place - center);
    float radius = acos(clamp(dot(direction, axis), -1.0, 1.0)) * EYEBALL;
    float angle = atan(direction.y - axis.y, direction.x - axis.x);
    float streaks = 0.75 + 0.25 * sin(angle * 23.0) * sin(angle * 41.0 + 2.0);
    vec3 iris = iris_color * mix(1.0, streaks, style == SCAN || style == FEATURE || style == FANTASY ? 1.0 : 0.0);
    iris *= mix(1.35, 0.75, smoothstep(pupil_radius, iris_radius, radius));
    vec3 white = sclera_color * (style == SCAN ? mix(vec3(1), vec3(0.92, 0.72, 0.68), smoothstep(1.0, 1.9, radius)) : vec3(1));
    float blur = 0.035;
    vec3 result = mix(vec3(0.012), iris, smoothstep(pupil_radius - blur, pupil_radius + blur, radius));
    result = mix(result, iris_color * 0.25, smoothstep(iris_radius - 0.12, iris_radius - 0.02, radius));
    result = mix(result, white, smoothstep(iris_radius - blur, iris_radius + blur, radius));
    return result;
}

float steps(float value, float edge, float softness) {
    return smoothstep(edge - softness, edge + softness, value);
}

void main() {
    vec3 normal = normalize(world_normal), view = normalize(camera_place - world);
    if (style == LOWPOLY) normal = normalize(cross(dFdx(world), dFdy(world)));
    if (dot(normal, view) < 0.0) normal = -normal;

    vec3 albedo = color;
    float ink = 0.0, shine = 0.2, hardness = 24.0, depth_in_mouth = 1.0, glow = 0.0;
    if (material == SKIN || material == NECK) {
        float height = 0.0, folds = 0.0;
        if (material == SKIN) {
            albedo = pow(texture(skin_color, texel).rgb, vec3(2.2));
            folds = dot(texture(folds_a, texel) * 2.0 - 1.0, fold_weights_a) + dot(texture(folds_b, texel) * 2.0 - 1.0, fold_weights_b);
            height = texture(skin_relief, texel).r + 0.1 * folds;
        }
        if (style != LOWPOLY && style != FLAT) normal = bumped(normal, height);
        float valley = clamp(-folds, 0.0, 1.0);
        albedo *= 1.0 - vec3(0.25, 0.45, 0.45) * valley;
        ink = smoothstep(0.28, 0.6, -folds);
        shine = style == DOLL ? 0.45 : style == FEATURE ? 0.3 : style == LOWPOLY ? 0.06 : style == CLAY ? 0.12 : style == PUPPET ? 0.0 : 0.15;
        hardness = style == DOLL ? 40.0 : 22.0;
    } else if (material == MOUTH || material == TEETH) {
        shine = material == TEETH ? 0.5 : 0.35;
        hardness = 40.0;
        depth_in_mouth = smoothstep(5.0, 10.6, rest_place.z);
        albedo *= mix(0.12, 1.0, depth_in_mouth);
    } else if (material == EYE) {
        albedo = eye_albedo();
        albedo *= 1.0 - 0.35 * smoothstep(-0.1, 0.75, normalize(rest_place - (rest_place.x < 0.0 ? vec3(-eye_center.x, eye_center.yz) : eye_center)).y);
        shine = style == PUPPET || style == CLAY ? 0.35 : 1.1;
        hardness = style == PUPPET || style == CLAY ? 30.0 : 120.0;
        glow = style == SCAN ? 0.06 : 0.12;
    } else if (material == HAIR) {
        float strands = sin(rest_place.x * 14.0 + rest_place.y * 2.5 + rest_place.z * 11.0);
        albedo *= 1.0 + (style == SCAN || style == FEATURE || style == FANTASY ? 0.1 : 0.04) * strands;
        shine = style == PUPPET || style == CLAY ? 0.05 : 0.5;
        hardness = 22.0;
    } else if (material == CLOTH) {
        shine = 0.015;
    } else if (material == METAL) {
        shine = 1.6;
        hardness = 50.0;
    } else if (material == PLASTIC) {
        shine = 0.9;
        hardness = 60.0;
    }
    if (style == PUPPET && material != EYE && material != TEETH && material != METAL)
        normal = normalize(normal + 0.55 * (vec3(hash(floor(world * 9.0)), hash(floor(world * 9.0) + 7.0), hash(floor(world * 9.0) + 13.0)) - 0.5));
    if (style == CLAY && material != SKIN && material != EYE)
        normal = normalize(normal + 0.12 * vec3(sin(rest_place.y * 9.0), sin(rest_place.x * 8.0), sin(rest_place.z * 8.0)));

    float group = material <= NECK ? 0.0 : float(material);  // no outline between those of one group
    float toward_key = dot(normal, key_direction), shadow = toward_key > -0.3 ? lit_share() : 0.0;
    float toward_fill = max(dot(normal, fill_direction), 0.0), toward_rim = max(dot(normal, rim_direction), 0.0);
    float edge = 1.0 - max(dot(normal, view), 0.0);
    float gleam = pow(max(dot(normal, normalize(key_direction + view)), 0.0), hardness) * shine * shadow;
    float fill_gleam = pow(max(dot(normal, normalize(fill_direction + view)), 0.0), hardness) * shine * 0.35;
    vec3 around = mix(ground_color, sky_color, normal.y * 0.5 + 0.5);

    if (style == TOON || style == FLAT) {
        float band = style == FLAT ? 1.0 : mix(0.62, 1.0, steps(min(toward_key * 0.9 + 0.1, shadow * 1.4 - 0.2), 0.12, 0.04));
        if (style == TOON && material != EYE) band += 0.12 * steps(toward_key * shadow, 0.85, 0.03);
        float spot = (material == EYE || (style == TOON && material == HAIR)) ? steps(gleam + (material == EYE ? fill_gleam : 0.0), 0.35, 0.1) : 0.0;
        direct = vec4(albedo * band + spot * (material == HAIR ? 0.15 : 0.6), ink);
        ambient = vec4(0.0, 0.0, 0.0, (group + 0.5) / 16.0);
    } else {
        vec3 wrap = (style == SCAN || style == FEATURE || style == FANTASY || style == DOLL) && (material == SKIN || material == NECK)
            ? vec3(0.38, 0.2, 0.16) : style == CLAY || style == PUPPET ? vec3(0.25) : vec3(0.05);
        vec3 diffuse = max((vec3(toward_key) + wrap) / (1.0 + wrap), 0.0) * mix(shadow, 1.0, 0.08);
        direct.rgb = albedo * (diffuse * key_color + toward_fill * fill_color) + (gleam * key_color + fill_gleam * fill_color);
        direct.rgb += toward_rim * pow(edge, 2.0) * rim_color * (material == CLOTH ? albedo : 0.3 + 0.7 * albedo);
        if (style == PUPPET) direct.rgb += albedo * pow(edge, 1.5) * 0.6 * key_color;  // fibres at the silhouette catch light
        direct.a = ink;
        ambient.rgb = albedo * (around + glow);
        ambient.a = (group + 0.5) / 16.0;
    }
    surface = vec4(camera_rotation * normal, view_depth);
}
