#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a model's answers are worth for its task, on data that ./setup models brings.

    .venv/bin/python bench/task_metrics.py lines|faces|speech|texts MODEL FLOAT_MODEL
    .venv/bin/python bench/task_metrics.py lines|faces|speech|texts --data FOLDER FLOAT_MODEL
    .venv/bin/python bench/task_metrics.py lines|faces|texts --sqnr MODEL FLOAT_MODEL
    .venv/bin/python bench/task_metrics.py lines|faces|speech|texts --digests MODEL FLOAT_MODEL

The first form prints {"text": for people, "points": figures in percent}. The second writes inputs
to calibrate on, none of which is scored, and one to time by. The third prints the outputs' SQNR in
dB on every fourth of the inputs that are scored: the errors' squares as shares of the values', the
mean over the outputs. The fourth prints a hash of the outputs for each of these inputs. Models may
be ONNX files, OpenVINO's (.xml) or LiteRT's (.tflite). lines: error rate of characters of lines of
text, drawn here. faces: accuracy and AUROC of crops with and without a face. speech: share of
frames whose decision is not the float model's, over sound made here (voices of two resonances,
in tones and noise as loud as they), at both rates, or at 8 kHz if the rate is fixed. texts:
agreement of mean-pooled embeddings of sentences (sentences.txt, once taken from this project's
documents) with the float model's, and the share that keep their nearest neighbour; needs
`tokenizers`.
"""
import hashlib
import json
import os
import pathlib
import re
import sys

import numpy
import onnxruntime
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SENTENCES = pathlib.Path(__file__).with_name("sentences.txt")
SEED = 7
SECONDS = 60  # of sound at each rate
WORDS = """the number you have dialed is not in service please check and try again your call may be
recorded to leave a message press one or stay on the line for an agent goodbye account balance of
seven hundred twenty three point four five Please Enter Code followed by pound key invalid extension
Thursday August conference room""".split()


class OpenVinoModel:
    """OpenVINO's own format, with the calls of ONNX Runtime that are used here."""

    def __init__(self, path):
        import openvino  # pylint: disable=import-outside-toplevel
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": "1",
                    "INFERENCE_PRECISION_HINT": "f32"}
        self.model = openvino.Core().compile_model(str(path), "CPU", settings)
        self.request = self.model.create_infer_request()

    def get_inputs(self):
        """Objects with a name."""
        return [type("Port", (), {"name": port.get_any_name()}) for port in self.model.inputs]

    def run(self, _names, feeds):
        """All outputs, in order."""
        found = self.request.infer(feeds)
        return [found[port] for port in self.model.outputs]


class LiteRtModel:
    """LiteRT's format, likewise. Inputs are filled up to the fixed length, or cut, outputs cut."""

    def __init__(self, path):
        from ai_edge_litert import interpreter  # pylint: disable=import-outside-toplevel
        self.model = interpreter.Interpreter(str(path), num_threads=1)
        self.model.allocate_tensors()

    def get_inputs(self):
        """Objects with a name."""
        return [type("Port", (), {"name": self.plain(port["name"])})
                for port in self.model.get_input_details()]

    @staticmethod
    def plain(name):
        """Without what the converter put around it."""
        return name.removeprefix("serving_default_").removesuffix(":0")

    def run(self, _names, feeds):
        """All outputs, in order."""
        feeds = {re.sub(r"\W", "_", name): value for name, value in feeds.items()}
        length = None
        for port in self.model.get_input_details():
            value = feeds[self.plain(port["name"])]
            if value.ndim == 2 and value.shape[1] != port["shape"][1]:
                length, fixed = value.shape[1], port["shape"][1]
                value = numpy.pad(value[:, :fixed], ((0, 0), (0, max(0, fixed - length))))
            scale, zero = port["quantization"]
            if scale and value.dtype == numpy.float32 != port["dtype"]:
                kind = numpy.iinfo(port["dtype"])
                value = numpy.clip(numpy.round(value / scale) + zero, kind.min, kind.max)
            self.model.set_tensor(port["index"], value.astype(port["dtype"]))
        self.model.invoke()
        found = []
        for port in self.model.get_output_details():
            value = self.model.get_tensor(port["index"])
            scale, zero = port["quantization"]
            if scale and value.dtype != numpy.float32:
                value = (value.astype(numpy.float32) - zero) * numpy.float32(scale)
            found.append(value[:, :length] if length and value.ndim == 3 else value)
        return found


def open_session(path):
    """One thread, as devices run it."""
    if str(path).endswith(".xml"):
        return OpenVinoModel(path)
    if str(path).endswith(".tflite"):
        return LiteRtModel(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if os.environ.get("EXACT_INTEGERS"):  # the kernels for AVX2 that never saturate
        options.add_session_config_entry("session.x64quantprecision", "1")
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
    """The likeliest characters, repeated ones once, blanks and the spaces of margins left out."""
    best = session.run(None, {session.get_inputs()[0].name: image})[0][0].argmax(axis=1)
    kept = [value for at, value in enumerate(best) if value and (at == 0 or value != best[at - 1])]
    return "".join(keys[value] for value in kept).strip()


def edits(a, b):
    """Characters to change, add or take away to get from one text to the other."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for k, right in enumerate(b, 1):
            before, row[k] = row[k], min(row[k] + 1, row[k - 1] + 1, before + (left != right))
    return row[-1]


def draw_lines(count, seed, folder):
    """(text, image) pairs."""
    random = numpy.random.default_rng(seed)
    for _ in range(count):
        text = " ".join(random.choice(WORDS, int(random.integers(3, 8))))
        yield text, draw_line(text, random, folder / "DejaVuSans.ttf")


def lines(path, _float_path, folder):
    """Error rate of characters."""
    keys = [""] + (folder / "ocr_keys.txt").read_text(encoding="utf-8").split("\n")[:6623] + [" "]
    session = open_session(path)
    wrong = total = 0
    for text, image in draw_lines(120, SEED, folder):
        wrong += edits(text, read_line(session, image, keys))
        total += len(text)
    rate = 100 * wrong / total
    return f"CER {rate:.2f} % of {total}", {"CER": rate}


def face_images(folder):
    """Crops as the detector takes them; the first half of the file shows faces."""
    for crop in numpy.load(folder / "faces.npy"):
        grey = Image.fromarray((255 * crop).astype(numpy.uint8)).resize((128, 128),
                                                                        Image.Resampling.BILINEAR)
        values = numpy.asarray(grey, numpy.float32) / 127.5 - 1
        yield numpy.repeat(values[None, :, :, None], 3, axis=3)


def faces(path, _float_path, folder):
    """Accuracy and AUROC of the best score of a crop; every second one, as none calibrates on."""
    session = open_session(path)
    name = session.get_inputs()[0].name
    answers = [session.run(None, {name: image}) for image in face_images(folder)]
    scores = numpy.array([max(float(head.max()) for head in heads if head.shape[-1] == 1)
                          for heads in answers])
    labels = numpy.arange(len(scores)) < len(scores) // 2
    scores, labels = scores[::2], labels[::2]
    higher = scores[labels][:, None] - scores[~labels][None]
    auroc = (higher > 0).mean() + 0.5 * (higher == 0).mean()
    accuracy = 100 * ((scores > 0) == labels).mean()
    return (f"accuracy {accuracy:.1f} %, AUROC {auroc:.4f}",
            {"accuracy": accuracy, "AUROC": 100 * auroc})


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


def rates(session):
    """Samples a second that the model can be told of."""
    takes_rate = any(item.name == "sr" for item in session.get_inputs())
    return (8000, 16000) if takes_rate else (8000,)


def speech(path, float_path, _folder):
    """Share of frames on the other side of one half."""
    flips = frames = spoken = 0
    ours, theirs = open_session(path), open_session(float_path)
    for rate in rates(ours):
        sound = make_sound(rate, SECONDS, numpy.random.default_rng(SEED))
        expected = decide(theirs, rate, sound) > 0.5
        flips += int(((decide(ours, rate, sound) > 0.5) != expected).sum())
        frames += len(expected)
        spoken += int(expected.sum())
    share = 100 * flips / frames
    return f"{share:.2f} % of {frames} frames flip, {spoken} are speech", {"flips": share}


def sentences():
    """(those that may calibrate, those that are scored): halves of a list that never changes."""
    kept = SENTENCES.read_text(encoding="utf-8").splitlines()
    return kept[:len(kept) // 2], kept[len(kept) // 2:]


def tokenize(folder, texts):
    """Rows of token ids, each of its own length."""
    import tokenizers  # pylint: disable=import-outside-toplevel
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    return [numpy.array([item.ids], numpy.int64) for item in tokenizer.encode_batch(texts)]


def text_inputs(ids):
    """What the model is fed with."""
    return {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
            "token_type_ids": numpy.zeros_like(ids)}


def embed(path, rows):
    """Mean-pooled embeddings, one row a text."""
    session = open_session(path)
    found = []
    for ids in rows:
        answers = session.run(None, text_inputs(ids))
        found.append(next(answer for answer in answers if answer.ndim == 3)[0].mean(0))
    return numpy.array(found)


def neighbours(rows):
    """The nearest other row of each, by cosine."""
    unit = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
    near = unit @ unit.T
    numpy.fill_diagonal(near, -2)
    return near.argmax(1)


def agreement(ours, theirs):
    """In percent: the mean cosine of two sets of embeddings, and how many nearest neighbours they
    share."""
    cosine = (ours * theirs).sum(1) / numpy.linalg.norm(ours, axis=1) / numpy.linalg.norm(
        theirs, axis=1)
    same = neighbours(ours) == neighbours(theirs)
    return {"cosine": 100 * cosine.mean(), "neighbour": 100 * same.mean()}


def texts(path, float_path, folder):
    """Agreement of embeddings."""
    rows = tokenize(folder, sentences()[1])
    points = agreement(embed(path, rows), embed(float_path, rows))
    return (f"cosine {points['cosine'] / 100:.5f}, neighbour {points['neighbour'] / 100:.3f} of "
            f"{len(rows)}", points)


def write_data(task, to, float_model):
    """Samples as .npz files in a folder, and one to time by beside it."""
    folder = float_model.parent
    if task == "lines":
        items = [{"x": image} for _, image in draw_lines(80, SEED + 1, folder)]
    elif task == "faces":
        name = open_session(float_model).get_inputs()[0].name
        items = [{name: image} for image in list(face_images(folder))[1::2]]
    elif task == "speech":
        items = [{"input": make_sound(16000, 1, numpy.random.default_rng(SEED))[None, :576],
                  "state": numpy.zeros((2, 1, 128), numpy.float32),
                  "sr": numpy.array(16000, numpy.int64)}]
    else:
        rows = tokenize(folder, sentences()[0])
        items = [text_inputs(ids) for ids in rows[:64]]
    to.mkdir(parents=True)
    for at, item in enumerate(items):
        numpy.savez(to / f"{at:03}.npz", **item)
    timed = items[0]
    if task == "texts":
        timed = text_inputs(numpy.resize(numpy.concatenate(rows, axis=1)[0], (1, 64)))
    (to.parent / "timed").mkdir()
    numpy.savez(to.parent / "timed" / "0.npz", **timed)
    if task == "speech":  # a frame for the rate of 8 kHz, fixed
        (to.parent / "timed_fixed").mkdir()
        numpy.savez(to.parent / "timed_fixed" / "0.npz", input=timed["input"][:, :288],
                    state=timed["state"])
    return f"{len(items)} samples"


def scored_inputs(task, float_model):
    """What is scored, as models are fed."""
    folder = float_model.parent
    if task == "texts":
        return [text_inputs(ids) for ids in tokenize(folder, sentences()[1])]
    name = open_session(float_model).get_inputs()[0].name
    images = ([image for _, image in draw_lines(120, SEED, folder)] if task == "lines"
              else list(face_images(folder))[::2])
    return [{name: image} for image in images]


def output_sqnr(task, path, float_path):
    """In dB, of all float outputs."""
    ours, theirs = open_session(path), open_session(float_path)
    signal, noise = {}, {}
    for feeds in scored_inputs(task, float_path)[::4]:
        answers = zip(theirs.run(None, feeds), ours.run(None, feeds))
        for at, (expected, found) in enumerate(answers):
            if expected.dtype != numpy.float32:
                continue
            error = found.astype(numpy.float64) - expected
            signal[at] = signal.get(at, 0) + (expected.astype(numpy.float64) ** 2).sum()
            noise[at] = noise.get(at, 0) + (error ** 2).sum()
    shares = [noise[at] / signal[at] for at in signal]
    return f"{-10 * numpy.log10(numpy.mean(shares)):.2f}"


def digests(task, path, float_path):
    """A hash of all that the model says of each input; of sound, of its scores at each rate."""
    session = open_session(path)
    if task == "speech":
        sounds = ((rate, make_sound(rate, SECONDS, numpy.random.default_rng(SEED)))
                  for rate in rates(session))
        answers = ([decide(session, *sound)] for sound in sounds)
    else:
        answers = (session.run(None, feeds) for feeds in scored_inputs(task, float_path)[::4])
    return [hashlib.sha256(b"".join(value.tobytes() for value in outputs)).hexdigest()
            for outputs in answers]


TASKS = {"lines": lines, "faces": faces, "speech": speech, "texts": texts}


def main(words):
    """Prints one line."""
    task, what, float_model = words[0], words[1], pathlib.Path(words[-1])
    if what == "--data":
        print(write_data(task, pathlib.Path(words[2]), float_model))
    elif what == "--sqnr":
        print(output_sqnr(task, pathlib.Path(words[2]), float_model))
    elif what == "--digests":
        print(json.dumps(digests(task, pathlib.Path(words[2]), float_model)))
    else:
        text, points = TASKS[task](pathlib.Path(what), float_model, float_model.parent)
        print(json.dumps({"text": text, "points": points}, default=float))


if __name__ == "__main__":
    main(sys.argv[1:])
