#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a model's answers are worth for its task, on data that ./setup models brings.

    .venv/bin/python bench/task_metrics.py lines|faces|speech MODEL FLOAT_MODEL

lines: error rate of characters of lines of text, drawn here. faces: accuracy and AUROC of crops
with and without a face. speech: share of frames whose decision is not the float model's, over sound
made here (voices of two resonances, in tones and noise as loud as they), at both rates, or at 8 kHz
if the rate is fixed.
"""
import pathlib
import sys

import numpy
import onnxruntime
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SEED = 7
WORDS = """the number you have dialed is not in service please check and try again your call may be
recorded to leave a message press one or stay on the line for an agent goodbye account balance of
seven hundred twenty three point four five Please Enter Code followed by pound key invalid extension
Thursday August conference room""".split()


def open_session(path):
    """One thread, as devices run it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def draw_line(text, random, font_path):
    """A line of text as the reader takes it: 48 high, grey on light grey, a little blurred."""
    font = ImageFont.truetype(str(font_path), int(random.integers(22, 35)))
    width = int(font.getlength(text)) + 16
    image = Image.new("L", (width, 48), int(random.integers(200, 250)))
    ImageDraw.Draw(image).text((8, 24), text, fill=int(random.integers(10, 90)), font=font,
                               anchor="lm")
    image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0, 0.8))))
    values = (numpy.asarray(image, numpy.float32) / 255 - 0.5) / 0.5
    return numpy.repeat(values[None, None], 3, axis=1)


def read_line(session, image, keys):
    """The likeliest characters, repeated ones once, blanks left out."""
    best = session.run(None, {session.get_inputs()[0].name: image})[0][0].argmax(axis=1)
    kept = [value for at, value in enumerate(best) if value and (at == 0 or value != best[at - 1])]
    return "".join(keys[value] for value in kept)


def edits(a, b):
    """Characters to change, add or take away to get from one text to the other."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for k, right in enumerate(b, 1):
            before, row[k] = row[k], min(row[k] + 1, row[k - 1] + 1, before + (left != right))
    return row[-1]


def lines(path, _float_path, folder):
    """Error rate of characters."""
    random = numpy.random.default_rng(SEED)
    keys = [""] + (folder / "ocr_keys.txt").read_text(encoding="utf-8").split("\n")[:6623] + [" "]
    session = open_session(path)
    wrong = total = 0
    for _ in range(120):
        text = " ".join(random.choice(WORDS, int(random.integers(3, 8))))
        found = read_line(session, draw_line(text, random, folder / "DejaVuSans.ttf"), keys)
        wrong += edits(text, found)
        total += len(text)
    return f"CER {100 * wrong / total:.2f} % of {total}"


def faces(path, _float_path, folder):
    """Accuracy and AUROC of the best score of a crop; every second one, as none calibrates on."""
    crops = numpy.load(folder / "faces.npy")
    labels = numpy.arange(len(crops)) < len(crops) // 2
    session = open_session(path)
    scores = []
    for crop in crops:
        grey = Image.fromarray((255 * crop).astype(numpy.uint8)).resize((128, 128),
                                                                        Image.Resampling.BILINEAR)
        values = numpy.asarray(grey, numpy.float32) / 127.5 - 1
        image = numpy.repeat(values[None, :, :, None], 3, axis=3)
        answers = session.run(None, {session.get_inputs()[0].name: image})
        scores.append(max(float(answers[0].max()), float(answers[1].max())))
    scores, labels = numpy.array(scores)[::2], labels[::2]
    higher = scores[labels][:, None] - scores[~labels][None]
    auroc = (higher > 0).mean() + 0.5 * (higher == 0).mean()
    return f"accuracy {100 * ((scores > 0) == labels).mean():.1f} %, AUROC {auroc:.4f}"


def make_sound(rate, seconds, random):
    """Spells of a voice in tones and noise."""
    time = numpy.arange(rate * seconds) / rate
    pitch = 130 + 40 * numpy.sin(2 * numpy.pi * 0.7 * time)
    phase = 2 * numpy.pi * numpy.cumsum(pitch) / rate
    voice = numpy.zeros(len(time))
    first = 500 + 250 * numpy.sin(2 * numpy.pi * 1.9 * time)
    second = 1500 + 500 * numpy.sin(2 * numpy.pi * 1.3 * time + 1)
    for harmonic in range(1, 24):
        at = harmonic * pitch
        loud = numpy.exp(-((at - first) / 150) ** 2) + 0.6 * numpy.exp(-((at - second) / 250) ** 2)
        voice += (loud + 0.05 / harmonic) * numpy.sin(harmonic * phase)
    syllables = numpy.clip(numpy.sin(2 * numpy.pi * 3.7 * time) + 0.4, 0, 1)
    voice *= syllables * (numpy.sin(2 * numpy.pi * 0.11 * time) > -0.2)
    tones = sum(numpy.sin(2 * numpy.pi * f * time) for f in (220, 277, 330, 440))
    other = tones / tones.std() + 0.5 * random.standard_normal(len(time))
    loudness = 10 ** (random.uniform(-10, 0, seconds) / 20)
    other *= numpy.repeat(loudness, rate) * voice.std() / other.std()
    return (0.1 * (voice + other) / voice.std()).astype(numpy.float32)


def decide(session, rate, sound):
    """What the model says of each frame, its state carried over."""
    new, old = (256, 32) if rate == 8000 else (512, 64)
    fixed = {"sr": numpy.array(rate, numpy.int64)}
    wanted = {item.name for item in session.get_inputs()}
    state = numpy.zeros((2, 1, 128), numpy.float32)
    before = numpy.zeros(old, numpy.float32)
    scores = []
    for at in range(0, len(sound) - new + 1, new):
        frame = numpy.concatenate([before, sound[at:at + new]])
        before = frame[-old:]
        feeds = {"input": frame[None], "state": state, **fixed}
        score, state = session.run(None, {key: feeds[key] for key in feeds if key in wanted})
        scores.append(float(score[0, 0]))
    return numpy.array(scores)


def speech(path, float_path, _folder):
    """Share of frames on the other side of one half."""
    flips = frames = spoken = 0
    ours, theirs = open_session(path), open_session(float_path)
    takes_rate = any(item.name == "sr" for item in ours.get_inputs())
    for rate in (8000, 16000) if takes_rate else (8000,):
        sound = make_sound(rate, 60, numpy.random.default_rng(SEED))
        expected = decide(theirs, rate, sound) > 0.5
        flips += int(((decide(ours, rate, sound) > 0.5) != expected).sum())
        frames += len(expected)
        spoken += int(expected.sum())
    return f"{100 * flips / frames:.2f} % of {frames} frames flip, {spoken} are speech"


TASKS = {"lines": lines, "faces": faces, "speech": speech}

if __name__ == "__main__":
    float_model = pathlib.Path(sys.argv[3])
    print(TASKS[sys.argv[1]](pathlib.Path(sys.argv[2]), float_model, float_model.parent))
