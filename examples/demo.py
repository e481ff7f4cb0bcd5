# SPDX-License-Identifier: Apache-2.0
"""Prepares three real models for ANDROID under BALANCED through the command line, runs each on real
input, and writes the report."""
import json
import os
import pathlib
import subprocess

import numpy
from PIL import Image, ImageDraw, ImageFont

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = CACHE / "wattwise" / "models"
OUT = ROOT / "build" / "demo"
LINE = "joules per inference"


def wattwise(*words):
    """Runs the program and returns its JSON document."""
    command = [ROOT / "build/release/wattwise", "--json", "--db-path", OUT / "demo.duckdb",
               "--power-profile", "BALANCED", "--deployment-target", "ANDROID", *words]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def prepare(name, path):
    """Prepares one model and says what came out."""
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    for companion in path.parent.glob("tokenizer.json"):
        (folder / companion.name).write_bytes(companion.read_bytes())
    result = wattwise("prepare", "--model-path", path, "--output-path", folder / "model.onnx")
    power = result["provenance"]["energy_per_inference_mj"]
    print(f"{name}: {result['original_size_bytes']:,} -> {result['optimized_size_bytes']:,} bytes, "
          f"{result['quantization_method']}, drop {result['accuracy']['drop_percent']:.3f} %, "
          f"{power['value']:.3g} mJ ({power['origin']}, {power['low']:.2g} to "
          f"{power['high']:.2g}), "
          f"{result['preparation_time_seconds']:.2f} s")
    return result["output_model_path"]


def run(model, values):
    """One inference through the program; outputs as arrays (JSON holds up to 1,000 elements)."""
    result = wattwise("inference", "--model-path", model, "--input", values)
    print(f"  ran in {result['inference_time_seconds'] * 1e3:.2f} ms (measured)")
    return result


def read_line(model):
    """Renders a line of text and lets the reader read it."""
    import onnxruntime
    font = ImageFont.truetype(str(MODELS / "DejaVuSans.ttf"), 30)
    image = Image.new("L", (int(font.getlength(LINE)) + 20, 48), 230)
    ImageDraw.Draw(image).text((10, 6), LINE, font=font, fill=40)
    pixels = (numpy.asarray(image, numpy.float32) / 255 - 0.5) / 0.5
    array = numpy.broadcast_to(pixels, (1, 3, *pixels.shape)).copy()
    numpy.save(OUT / "line.npy", array)
    run(model, OUT / "line.npy")
    session = onnxruntime.InferenceSession(model)
    best = session.run(None, {session.get_inputs()[0].name: array})[0][0].argmax(axis=1)
    keys = [""] + (MODELS / "ocr_keys.txt").read_text(encoding="utf-8").split("\n")
    text = "".join(" " if k >= 6624 else keys[k]
                   for k, before in zip(best, [0, *best]) if k and k != before)
    print(f"  rendered {LINE!r}, read {text!r}")


def see_face(model):
    """Scores one photograph of a face."""
    import onnxruntime
    crop = numpy.load(MODELS / "faces.npy")[0]
    image = Image.fromarray((crop * 255).astype("uint8")).resize((128, 128))
    pixels = numpy.asarray(image, numpy.float32) / 127.5 - 1
    array = numpy.repeat(pixels[None, :, :, None], 3, axis=3)
    numpy.save(OUT / "face.npy", array)
    run(model, OUT / "face.npy")
    session = onnxruntime.InferenceSession(model)
    outputs = session.run(None, {session.get_inputs()[0].name: array})
    scores = [value for value in outputs if value.shape[-1] == 1]
    best = max(float(value.max()) for value in scores)
    print(f"  best face score {best:.2f} ({'a face' if best > 0 else 'no face'})")


def main():
    """The whole demonstration."""
    OUT.mkdir(parents=True, exist_ok=True)
    reader = prepare("ocr_reader", MODELS / "ocr_reader.onnx")
    read_line(reader)
    faces = prepare("blazeface", MODELS / "blazeface.onnx")
    see_face(faces)
    sentences = prepare("minilm", MODELS / "minilm" / "model.onnx")
    outputs = run(sentences, "How much energy does one answer cost?")["outputs"]
    pooled = next(value for value in outputs.values() if value["shape"] == [1, 384])
    print(f"  embedding {[round(v, 3) for v in pooled['values'][:4]]} ... of {pooled['shape']}")
    report = OUT / "report.html"
    wattwise("report", "--format", "html", "--output", report)
    database = OUT / "demo.duckdb"
    print(f"report: {report.relative_to(ROOT)}, database: {database.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
