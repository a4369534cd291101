"""One peer of the encoder in a process of its own; requests and answers as JSON lines.

Usage: embed_worker.py NAME FOLDER, in the environment of the benchmarks: NAME is one of PEERS,
FOLDER has the ONNX models (minilm.py wrote them). What a peer does for a text is measured from the
text to the vector, as it is for ours; the time of the model alone is told beside.
"""
import json
import os
import pathlib
import sys
import time

# Before numpy and torch are loaded: they read these once. A request for more threads is for
# vectors that only have to be there, and goes to a session of its own.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy  # noqa: E402

import curve  # noqa: E402
import minilm  # noqa: E402
import process  # noqa: E402

MODEL = minilm.model_folder()
BATCHES = [1, 8, 16, 32]
WARM_UP = 20


def lines(path):
    return pathlib.Path(path).read_text(encoding="utf-8").split("\n")[:-1]


class Onnx:
    def __init__(self, kind, folder):
        self.kind, self.folder = kind, pathlib.Path(folder)
        self.encoder = self.open(1)

    def open(self, threads):
        return minilm.Encoder(self.folder / f"minilm-{self.kind}.onnx", MODEL, threads)

    def one(self, text):
        return self.encoder.run([self.encoder.ids(text)])

    def model_alone(self, text):
        """Seconds that the model takes, the tokens being there."""
        ids = self.encoder.ids(text)
        start = time.perf_counter()
        self.encoder.run([ids])
        return time.perf_counter() - start

    def many(self, texts, batch, threads=1):
        return (self.encoder if threads == 1 else self.open(threads)).encode(texts, batch)


class SentenceTransformers:
    def __init__(self):
        import torch
        from sentence_transformers import SentenceTransformer
        torch.set_num_threads(1)
        self.model = SentenceTransformer(str(MODEL), device="cpu")

    def one(self, text):
        return self.model.encode([text], normalize_embeddings=True, show_progress_bar=False)

    def model_alone(self, text):
        """Seconds of the forward pass; tokenizing and what encode() does around it left out."""
        import torch
        features = self.model.preprocess([text])
        start = time.perf_counter()
        with torch.inference_mode():
            self.model(features)
        return time.perf_counter() - start

    def many(self, texts, batch, threads=1):
        return self.model.encode(texts, batch_size=batch, normalize_embeddings=True,
                                 show_progress_bar=False)


PEERS = {
    "ONNX Runtime int8": lambda folder: Onnx("int8", folder),
    "ONNX Runtime f32": lambda folder: Onnx("f32", folder),
    "sentence-transformers f32": lambda folder: SentenceTransformers(),
}


class Worker:
    def __init__(self, name, folder):
        self.peer = PEERS[name](folder)

    def latency(self, texts):
        """p50 and p99 of one text at a time, in milliseconds."""
        texts = lines(texts)
        for text in texts[:WARM_UP]:
            self.peer.one(text)
        whole, model = [], []
        for text in texts:
            start = time.perf_counter()
            self.peer.one(text)
            whole.append((time.perf_counter() - start) * 1e3)
            model.append(self.peer.model_alone(text) * 1e3)
        return {"p50_ms": curve.percentile(whole, 0.5), "p99_ms": curve.percentile(whole, 0.99),
                "model_p50_ms": curve.percentile(model, 0.5)}

    def rate(self, texts, batches=None):
        """Texts a second, at the size of batches that suits it best."""
        texts = lines(texts)
        found = {}
        for batch in batches or BATCHES:
            self.peer.many(texts[:batch], batch)
            start = time.perf_counter()
            self.peer.many(texts, batch)
            found[batch] = len(texts) / (time.perf_counter() - start)
        best = max(found, key=found.get)
        return {"texts_per_second": found[best], "batch": best}

    def vectors(self, texts, output, threads=1):
        """Keeps the vectors of the texts, one in each row."""
        made = self.peer.many(lines(texts), 16, threads)
        part = output + ".part.npy"
        numpy.save(part, made.astype(numpy.float32))
        os.replace(part, output)
        return {"rows": len(made)}

    def lengths(self, texts):
        """Tokens of each text, [CLS] and [SEP] included."""
        return [len(encoding.ids)
                for encoding in self.peer.encoder.tokenizer.encode_batch(lines(texts))]

    @staticmethod
    def cosines(one, other):
        """Of each row of one file with the same row of the other."""
        one, other = numpy.load(one), numpy.load(other)
        values = (one * other).sum(axis=1) / (
            numpy.linalg.norm(one, axis=1) * numpy.linalg.norm(other, axis=1))
        return {"mean": float(values.mean()), "min": float(values.min()), "texts": len(values)}

    @staticmethod
    def golden(vectors, jsonl):
        """Of each row with the vector that the line of the same number has."""
        with open(jsonl, encoding="utf-8") as file:
            wanted = numpy.array([json.loads(line)["embedding"] for line in file])
        values = (numpy.load(vectors) * wanted).sum(axis=1)
        return {"mean": float(values.mean()), "min": float(values.min()), "texts": len(values)}

    @staticmethod
    def rankings(documents, queries, k=100):
        """Row numbers of the nearest documents of each query, exactly, best first."""
        documents, queries = numpy.load(documents), numpy.load(queries)
        order = numpy.argsort(-(queries @ documents.T), axis=1, kind="stable")
        return order[:, :k].tolist()


if __name__ == "__main__":
    process.serve(Worker(*sys.argv[1:]))
