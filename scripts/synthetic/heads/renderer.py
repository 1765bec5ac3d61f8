"""Renderer of characters with OpenGL 3.3 (moderngl) through EGL; Mesa's software renderer needs no screen and no GPU."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import moderngl
import numpy as np

from ...data.dataset import DatasetError
from .characters import Character
from .expressions import Expression
from .families import FAMILIES
from .figure import Figure
from .geometry.fitting import MeanHead
from .geometry.model import VERTICES, HeadModel
from .skin import FOLDS, SIDE, SkinPainter, fold_weights
from .views import View, background

SHADERS = Path(__file__).with_name("shaders")
STYLES = tuple(FAMILIES)
"""Families in the order of the shaders' constants."""
SUPERSAMPLING = 1.5
SHADOW_SIDE = 512
NEAR, FAR = 12.0, 400.0  # cm
KEPT_FIGURES = 4
OUTER_EYEBALL = 770  # vertices; those of the iris follow
FACE_HEIGHT = 12.0  # cm from brows to chin of the mean head
INK = {"toon": (0.09, 0.06, 0.06), "flat": (0.1, 0.07, 0.09), "sketch": (0.16, 0.15, 0.16)}


@dataclass(frozen=True)
class Rendering:
    """A picture (S, S, 3) uint8 RGB and its 68 landmarks (68, 2) float32 in pixels from the corner of the first pixel."""

    pixels: np.ndarray
    landmarks: np.ndarray


@dataclass
class _Uploaded:
    """A character's meshes and textures on the device."""

    figure: Figure
    dynamic: Any
    vertex_array: Any
    shadow_array: Any
    skin_color: Any
    skin_relief: Any
    resources: list[Any]

    def release(self) -> None:
        for resource in self.resources:
            resource.release()


class HeadRenderer:
    """Renders characters in an OpenGL context of its own.

    Args:
        model: the head model.
        side: side of the pictures in pixels.

    Raises:
        DatasetError: if there is no EGL with OpenGL 3.3, or TensorFlow is loaded beside Mesa's software renderer.
    """

    def __init__(self, model: HeadModel, side: int = 256) -> None:
        try:
            self.context = moderngl.create_context(standalone=True, backend="egl", require=330)
        except Exception as error:  # moderngl raises bare Exception and ValueError
            raise DatasetError(
                f"no OpenGL 3.3 through EGL ({error}): install Mesa, on Debian `apt-get install libegl1 libgl1-mesa-dri`"
            ) from None
        if "tensorflow" in sys.modules and "llvmpipe" in self.context.info["GL_RENDERER"]:
            self.context.release()
            raise DatasetError(
                "TensorFlow is loaded here, whose LLVM and that of Mesa crash in one process: render in another one"
            )
        self.mean, self.side, self.painter = MeanHead(model), side, SkinPainter(model)
        context, large = self.context, round(side * SUPERSAMPLING)
        self.large = large
        self.head_program = context.program(_shader("head.vert"), _shader("head.frag"))
        self.shadow_program = context.program(_shader("shadow.vert"), _shader("shadow.frag"))
        self.occlusion_program = context.program(_shader("screen.vert"), _shader("occlusion.frag"))
        self.composite_program = context.program(_shader("screen.vert"), _shader("composite.frag"))
        self.layers = [context.texture((large, large), 4, dtype="f2") for _ in range(3)]
        self.scene = context.framebuffer(self.layers, context.depth_renderbuffer((large, large)))
        for layer in self.layers:
            layer.filter = (moderngl.NEAREST, moderngl.NEAREST)
            layer.repeat_x = layer.repeat_y = False
        self.occlusion = context.texture((side, side), 1, dtype="f2")
        self.occlusion.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self.occlusion_target = context.framebuffer([self.occlusion])
        self.result = context.texture((large, large), 4)
        self.result_target = context.framebuffer([self.result])
        self.shadow_map = context.depth_texture((SHADOW_SIDE, SHADOW_SIDE))
        self.shadow_map.compare_func = "<="
        self.shadow_map.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self.shadow_target = context.framebuffer(depth_attachment=self.shadow_map)
        folds = np.round((self.painter.folds * 0.5 + 0.5) * 255).clip(0, 255).astype(np.uint8)
        self.folds = [self._texture(folds[..., start : start + 4]) for start in (0, 4)]
        self.screen_arrays = {
            program: context.vertex_array(program, []) for program in (self.occlusion_program, self.composite_program)
        }
        self.eye_center, self.eye_axis = _eye(model)
        self._figures: OrderedDict[str, _Uploaded] = OrderedDict()

    def __enter__(self) -> HeadRenderer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release the context and everything in it."""
        self._figures.clear()
        self.context.release()

    def render(self, character: Character, expression: Expression, view: View) -> Rendering:
        """Render one picture."""
        with self.context:  # another renderer's context may be current
            rgba, landmarks, projection = self._draw(character, expression, view)
        pixels = self._over_background(rgba, character, view)
        clip = np.column_stack([landmarks, np.ones(len(landmarks))]) @ projection.T
        places = (clip[:, :2] / clip[:, 3:] * [0.5, -0.5] + 0.5) * self.side
        return Rendering(pixels, places.astype(np.float32))

    def _draw(
        self, character: Character, expression: Expression, view: View
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """Draw the figure: RGBA (L, L, 4) uint8, enlarged; its landmarks (68, 3) in cm; the projection (4, 4)."""
        uploaded = self._upload(character)
        positions, normals, landmarks = uploaded.figure.pose(expression, view)
        uploaded.dynamic.write(np.hstack([positions, normals]).astype(np.float32).tobytes())
        eye_space, projection, camera = _camera(view, landmarks)
        shadow = _shadow_matrix(view, landmarks)
        self._draw_shadow(uploaded, shadow)
        self._draw_scene(uploaded, expression, view, eye_space, projection, camera, shadow)
        self._draw_occlusion(view)
        self._composite(character, view)
        rgba = np.frombuffer(self.result_target.read(components=4), np.uint8).reshape(self.large, self.large, 4)[::-1]
        return rgba, landmarks, projection

    def _upload(self, character: Character) -> _Uploaded:
        """The character on the device; the last few are kept."""
        key = f"{character.seed}/{character.name}"
        if key in self._figures:
            self._figures.move_to_end(key)
            return self._figures[key]
        while len(self._figures) >= KEPT_FIGURES:
            self._figures.popitem(last=False)[1].release()
        context, figure = self.context, Figure(self.mean, character)
        mesh = figure.mesh
        dynamic = context.buffer(reserve=len(mesh.kind) * 24, dynamic=True)
        static = context.buffer(np.column_stack([mesh.rest, mesh.texture, mesh.tint, mesh.kind]).astype(np.float32).tobytes())
        index = context.buffer(mesh.triangles.astype(np.int32).tobytes())
        content = [(dynamic, "3f 3f", "position", "normal"), (static, "3f 2f 3f 1f", "rest", "texture_place", "tint", "kind")]
        array = context.vertex_array(self.head_program, content, index)
        shadow_array = context.vertex_array(self.shadow_program, [(dynamic, "3f 12x", "position")], index)
        color, relief = self.painter.paint(character)
        skin = [self._texture(color), self._texture(relief[..., None].astype(np.float16), dtype="f2")]
        resources = [array, shadow_array, dynamic, static, index, *skin]
        self._figures[key] = uploaded = _Uploaded(figure, dynamic, array, shadow_array, skin[0], skin[1], resources)
        return uploaded

    def _texture(self, pixels: np.ndarray, dtype: str = "f1") -> Any:
        texture = self.context.texture((SIDE, SIDE), pixels.shape[2], np.ascontiguousarray(pixels[::-1]).tobytes(), dtype=dtype)
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        texture.repeat_x = texture.repeat_y = False
        return texture

    def _draw_shadow(self, uploaded: _Uploaded, shadow: np.ndarray) -> None:
        self.shadow_target.use()
        self.context.enable_only(moderngl.DEPTH_TEST)
        self.context.clear(depth=1.0)
        _set(self.shadow_program, {"shadow": shadow})
        uploaded.shadow_array.render()

    def _draw_scene(
        self, uploaded: _Uploaded, expression: Expression, view: View, eye_space: np.ndarray, projection: np.ndarray,
        camera: np.ndarray, shadow: np.ndarray,
    ) -> None:  # fmt: skip
        character, light = uploaded.figure.character, view.light
        weights = fold_weights(expression.shapes, character.skin.age)
        self.scene.use()
        self.context.enable_only(moderngl.DEPTH_TEST)
        self.context.clear(0, 0, 0, 0, depth=1.0)
        for slot, texture in enumerate((uploaded.skin_color, uploaded.skin_relief, *self.folds, self.shadow_map)):
            texture.use(slot)
        eyes = character.eyes
        _set(self.head_program, {
            "skin_color": 0, "skin_relief": 1, "folds_a": 2, "folds_b": 3, "shadow_map": 4,
            "fold_weights_a": weights[:4], "fold_weights_b": weights[4 : len(FOLDS)], "style": STYLES.index(character.family),
            "projection": projection, "shadow": shadow, "eye_space": eye_space, "camera_rotation": eye_space[:3, :3],
            "camera_place": camera, "key_direction": light.key_direction, "key_color": light.key,
            "fill_direction": light.fill_direction, "fill_color": light.fill, "rim_direction": light.rim_direction,
            "rim_color": light.rim, "sky_color": light.sky, "ground_color": light.ground, "eye_center": self.eye_center,
            "eye_axis": self.eye_axis, "iris_color": _linear(eyes.iris), "sclera_color": _linear(eyes.sclera),
            "iris_radius": eyes.iris_radius, "pupil_radius": eyes.pupil_radius,
        })  # fmt: skip
        uploaded.vertex_array.render()

    def _draw_occlusion(self, view: View) -> None:
        self.occlusion_target.use()
        self.context.disable(moderngl.DEPTH_TEST)
        self.layers[2].use(0)
        tangent = float(np.tan(np.radians(view.field) / 2))
        _set(self.occlusion_program, {"surface": 0, "tangent": (tangent, tangent)})
        self.screen_arrays[self.occlusion_program].render(moderngl.TRIANGLES, vertices=3)

    def _composite(self, character: Character, view: View) -> None:
        self.result_target.use()
        for slot, texture in enumerate((*self.layers, self.occlusion)):
            texture.use(slot)
        _set(self.composite_program, {
            "direct": 0, "ambient": 1, "surface": 2, "occlusion": 3, "style": STYLES.index(character.family),
            "line_width": self.large / 512 * (1.6 if character.family == "flat" else 1.2),
            "line_color": INK.get(character.family, (0, 0, 0)), "exposure": view.exposure,
        })  # fmt: skip
        self.screen_arrays[self.composite_program].render(moderngl.TRIANGLES, vertices=3)

    def _over_background(self, rgba: np.ndarray, character: Character, view: View) -> np.ndarray:
        alpha = rgba[..., 3:].astype(np.float32) / 255
        premultiplied = np.concatenate([rgba[..., :3] * alpha, alpha], axis=-1)
        small = cv2.resize(premultiplied, (self.side, self.side), interpolation=cv2.INTER_AREA)
        behind = background(view, character.family, self.side)
        return np.clip(np.round(small[..., :3] + (1 - small[..., 3:]) * behind), 0, 255).astype(np.uint8)


def _shader(name: str) -> str:
    return (SHADERS / name).read_text(encoding="utf-8")


def _set(program: Any, values: Mapping[str, Any]) -> None:
    """Set the uniforms that a program uses; compilers remove those it does not need."""
    for name, value in values.items():
        if name not in program:
            continue
        if isinstance(value, np.ndarray) and value.ndim == 2:
            program[name].write(np.ascontiguousarray(value.T, np.float32).tobytes())
        elif isinstance(value, (np.ndarray, tuple)):
            program[name].value = tuple(float(one) for one in value)
        else:
            program[name].value = value


def _camera(view: View, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices (4, 4) from world to camera space and to clip space, and the camera's place (3,)."""
    focus = (landmarks[17:27].mean(axis=0) + landmarks[8]) / 2
    height = max(float(np.linalg.norm(landmarks[17:27].mean(axis=0) - landmarks[8])), FACE_HEIGHT * 0.9)
    tangent = np.tan(np.radians(view.field) / 2)
    distance = height / (2 * tangent * view.face_share)
    seen = 2 * tangent * distance
    camera = np.array([focus[0] - view.shift[0] * seen, focus[1] + view.shift[1] * seen, focus[2] + distance], np.float32)
    eye_space = np.eye(4, dtype=np.float32)
    eye_space[:3, 3] = -camera
    scale = 1 / tangent
    clip = np.array([
        [scale, 0, 0, 0], [0, scale, 0, 0], [0, 0, -(FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)], [0, 0, -1, 0],
    ], np.float32)  # fmt: skip
    return eye_space, clip @ eye_space, camera


def _shadow_matrix(view: View, landmarks: np.ndarray) -> np.ndarray:
    """Orthographic projection (4, 4) from the key light around the head."""
    forward = np.array(view.light.key_direction, np.float32)
    across = np.cross([0, 1, 0], forward)
    across /= np.linalg.norm(across)
    rotation = np.eye(4, dtype=np.float32)
    rotation[:3, :3] = across, np.cross(forward, across), forward
    center = landmarks[27] - np.array([0, 1, 7], np.float32)
    rotation[:3, 3] = -rotation[:3, :3] @ center
    radius, depth = 19.0, 45.0
    return np.diag([1 / radius, 1 / radius, -1 / depth, 1]).astype(np.float32) @ rotation


def _eye(model: HeadModel) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Centre of the left eyeball on the mean head, and the unit direction to its cornea."""
    start = VERTICES["eyeball_left"][0]
    points = model.vertices[start : start + OUTER_EYEBALL]
    center = (points.max(axis=0) + points.min(axis=0)) / 2
    cornea = points[np.argsort(points[:, 2])[-12:]].mean(axis=0) - center
    return tuple(map(float, center)), tuple(map(float, cornea / np.linalg.norm(cornea)))


def _linear(color: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(float(value) ** 2.2 for value in color)
