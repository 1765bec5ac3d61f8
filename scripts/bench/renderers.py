"""Compare libraries that could render the 3D heads without a screen or a GPU: benchmarks/renderers.md.

    pip install -r requirements-train.txt mitsuba vtk pyrender    # in an environment of its own; what is missing is left out
    python -m scripts.bench.renderers --heads data/ict_facekit.npz

Every contender draws scanned heads at 256 pixels (VTK and pyrender at 512, which are to be halved), one identity after the
other, each in a process of its own. `moderngl` is this project's renderer with everything that it draws beside the skin
(textures, hair, shadows, ambient occlusion, background), four pictures a character, on one thread; the others draw the
untextured head with what they offer for soft light, on all cores. Two rounds with new heads, the better one counts. moderngl and
pyrender also need Mesa (about 140 MB with LLVM), which Debian packages. trimesh draws through pyrender, or in a window.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..common.markdown import table
from ..data.dataset import DatasetError
from ..synthetic.heads.geometry.model import HeadModel, load_head_model, vertex_normals

SIDE, PICTURES, ROUNDS = 256, 8, 2
SHARED = 4  # pictures of one character; the set has 28
PARTS = {"face": (0.62, 0.42, 0.33), "neck": (0.62, 0.42, 0.33), "gums": (0.5, 0.2, 0.2), "teeth": (0.85, 0.82, 0.75),
         "sclera_left": (0.85, 0.83, 0.82), "sclera_right": (0.85, 0.83, 0.82)}  # fmt: skip
Draw = Callable[[int], np.ndarray]


def moderngl_contender(model: HeadModel) -> Draw:
    from ..synthetic.heads.characters import create_character
    from ..synthetic.heads.expressions import sample_expression
    from ..synthetic.heads.renderer import HeadRenderer
    from ..synthetic.heads.views import front_view

    os.environ["LP_NUM_THREADS"] = "0"  # one thread in all
    renderer = HeadRenderer(model, SIDE)

    def draw(number: int) -> np.ndarray:
        first = number // SHARED * SHARED
        character = replace(create_character("scan", first), identity=identity_of(first))
        return renderer.render(character, sample_expression("happy", 1, character.random("bench")), front_view(character)).pixels

    return draw


def mitsuba_contender(model: HeadModel) -> Draw:
    """Path tracing with 8 samples a pixel, area light and constant sky; the LLVM variant needs a library of the system."""
    import mitsuba

    mitsuba.set_variant("scalar_rgb")
    turn = mitsuba.ScalarTransform4f

    def draw(number: int) -> np.ndarray:
        scene: dict[str, Any] = {
            "type": "scene", "integrator": {"type": "path", "max_depth": 3},
            "sensor": {
                "type": "perspective", "fov": 22, "to_world": turn().look_at([0, -1, 75], [0, -1, 0], [0, 1, 0]),
                "film": {"type": "hdrfilm", "width": SIDE, "height": SIDE, "pixel_format": "rgb"},
            },
            "sky": {"type": "constant", "radiance": {"type": "rgb", "value": [0.35, 0.37, 0.4]}},
            "key": {
                "type": "rectangle", "to_world": turn().look_at([30, 35, 50], [0, 0, 0], [0, 1, 0]) @ turn().scale(12),
                "emitter": {"type": "area", "radiance": {"type": "rgb", "value": [9, 8.5, 8]}},
            },
        }  # fmt: skip
        for name, color, points, normals, triangles in meshes(model, number):
            mesh = mitsuba.Mesh(name, len(points), len(triangles), has_vertex_normals=True)
            parameters = mitsuba.traverse(mesh)
            parameters["vertex_positions"], parameters["vertex_normals"] = points.ravel(), normals.ravel()
            parameters["faces"] = triangles.astype(np.uint32).ravel()
            parameters.update()
            material = {"type": "principled", "base_color": {"type": "rgb", "value": list(color)}, "roughness": 0.45}
            mesh.set_bsdf(mitsuba.load_dict({"type": "twosided", "inner": material}))
            scene[name] = mesh
        light = np.array(mitsuba.render(mitsuba.load_dict(scene), spp=8))
        return (np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)

    return draw


def vtk_contender(model: HeadModel) -> Draw:
    """Physically based shading with ambient occlusion in screen space."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy

    window, renderer, occlusion = vtk.vtkRenderWindow(), vtk.vtkRenderer(), vtk.vtkSSAOPass()
    window.SetOffScreenRendering(1)
    window.SetSize(2 * SIDE, 2 * SIDE)
    window.AddRenderer(renderer)
    occlusion.SetDelegatePass(vtk.vtkRenderStepsPass())
    occlusion.SetRadius(2)
    occlusion.SetKernelSize(32)
    renderer.SetPass(occlusion)
    camera = renderer.GetActiveCamera()
    camera.SetPosition(0, -1, 75)
    camera.SetFocalPoint(0, -1, 0)
    camera.SetViewAngle(22)

    def draw(number: int) -> np.ndarray:
        renderer.RemoveAllViewProps()
        for _, color, points, normals, triangles in meshes(model, number):
            data, cells, places, mapper, actor = (
                vtk.vtkPolyData(), vtk.vtkCellArray(), vtk.vtkPoints(), vtk.vtkPolyDataMapper(), vtk.vtkActor(),
            )  # fmt: skip
            places.SetData(numpy_to_vtk(points, deep=1))
            starts = np.arange(0, triangles.size + 1, 3)
            cells.SetData(
                numpy_to_vtkIdTypeArray(starts, deep=1), numpy_to_vtkIdTypeArray(triangles.ravel().astype(np.int64), deep=1)
            )
            data.SetPoints(places)
            data.SetPolys(cells)
            data.GetPointData().SetNormals(numpy_to_vtk(normals, deep=1))
            mapper.SetInputData(data)
            actor.SetMapper(mapper)
            actor.GetProperty().SetInterpolationToPBR()
            actor.GetProperty().SetColor(*color)
            renderer.AddActor(actor)
        renderer.ResetCameraClippingRange()
        window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.ReadFrontBufferOff()
        grab.Update()
        return vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(2 * SIDE, 2 * SIDE, 3)[::-1]

    return draw


def pyrender_contender(model: HeadModel) -> Draw:
    """Its metallic-roughness shading with shadows of one light; no ambient occlusion."""
    os.environ["PYOPENGL_PLATFORM"] = "egl"
    import pyrender

    renderer = pyrender.OffscreenRenderer(2 * SIDE, 2 * SIDE)

    def draw(number: int) -> np.ndarray:
        scene = pyrender.Scene(ambient_light=[0.3, 0.3, 0.3])
        for _, color, points, normals, triangles in meshes(model, number):
            material = pyrender.MetallicRoughnessMaterial(baseColorFactor=(*color, 1.0), metallicFactor=0.0)
            scene.add(pyrender.Mesh([pyrender.Primitive(points, normals, indices=triangles, material=material)]))
        pose = np.eye(4)
        pose[:3, 3] = 0, -1, 75
        scene.add(pyrender.PerspectiveCamera(np.radians(22)), pose=pose)
        scene.add(pyrender.DirectionalLight(intensity=4.0), pose=pose)
        return renderer.render(scene, flags=pyrender.RenderFlags.SHADOWS_DIRECTIONAL)[0]

    return draw


CONTENDERS: dict[str, tuple[Callable[[HeadModel], Draw], tuple[str, ...]]] = {
    "moderngl": (moderngl_contender, ("moderngl", "glcontext")),
    "mitsuba": (mitsuba_contender, ("mitsuba", "drjit")),
    "vtk": (vtk_contender, ("vtk",)),
    "pyrender": (pyrender_contender, ("pyrender", "PyOpenGL", "trimesh")),
}
"""Makers of a drawing function, and the packages that they bring beside NumPy."""


def identity_of(number: int) -> np.ndarray:
    """Weights (40,) of the head that has this number."""
    return np.random.default_rng(number).normal(0, 0.8, 40).astype(np.float32)


def meshes(model: HeadModel, number: int):
    """Yield the parts of a scanned head: name, color, points, normals and triangles of its own vertices."""
    head = model.identity(identity_of(number))
    for name, color in PARTS.items():
        triangles = model.triangles[name]
        used, inverse = np.unique(triangles, return_inverse=True)
        local = inverse.reshape(-1, 3)
        yield name, color, head[used], vertex_normals(head[used], local), local


def measure(name: str, path: Path, queue: Any) -> None:
    """Put the seconds a picture into the queue, or what went wrong."""
    try:
        draw = CONTENDERS[name][0](load_head_model(path))
        draw(0)
        best = float("inf")
        for round_ in range(1, ROUNDS + 1):
            start = time.perf_counter()
            for number in range(round_ * PICTURES, (round_ + 1) * PICTURES):
                draw(number)
            best = min(best, (time.perf_counter() - start) / PICTURES)
        queue.put(best)
    except Exception as error:  # a contender that is absent or broken is a result
        queue.put(f"fails: {type(error).__name__}")
        print(f"{name}: {error}", file=sys.stderr)


def installed_size(packages: tuple[str, ...]) -> float:
    """Size in MB of installed packages."""
    total = 0
    for package in packages:
        for file in importlib.metadata.files(package) or []:
            path = Path(str(file.locate()))
            total += path.stat().st_size if path.is_file() else 0
    return total / 1e6


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=Path, default=Path("data/ict_facekit.npz"), help="head model ICT-FaceKit")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/renderers.md"))
    options = parser.parse_args(arguments)
    try:
        load_head_model(options.heads)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    context, rows = multiprocessing.get_context("spawn"), []
    for name, (maker, packages) in CONTENDERS.items():
        queue = context.Queue()
        process = context.Process(target=measure, args=(name, options.heads, queue))
        process.start()
        process.join(timeout=600)
        if process.is_alive():
            process.kill()
        found = queue.get(timeout=5) if process.exitcode == 0 else f"ended with exit code {process.exitcode}"
        try:
            version, size = importlib.metadata.version(name), f"{installed_size(packages):,.0f} MB"
        except importlib.metadata.PackageNotFoundError:
            version, size = "absent", ""
        seconds = found if isinstance(found, str) else f"{found:.2f}"
        rows.append((name, version, size, seconds, (maker.__doc__ or "This project's renderer, complete.").strip().rstrip(".")))
        print(rows[-1], flush=True)
    head = "# Libraries to render the heads with\n\n`python -m scripts.bench.renderers`\n\n"
    text = f"{head}{' '.join((__doc__ or '').split('data/ict_facekit.npz')[-1].split())}\n\n"
    text += table(("library", "version", "installed", "seconds a picture", "light"), "llrrl", rows) + "\n"
    options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
