"""What has been measured so far, on disk, so that a run can be taken up after an interruption.

One JSON object a line: first the settings, then the samples. A line is written when its row has
been measured, and a line cut short by the interruption is ignored.
"""

import json
import os


class Samples:
    def __init__(self, path, settings, fresh=False):
        """Takes up the file if it was made with the same settings and is not finished."""
        self.path = path
        self.settings = settings
        self.lines = []
        self.resumed = False
        if not fresh and os.path.exists(path):
            self._load()
        if not self.resumed:
            self.lines = []
            self._write({"settings": settings}, "w")
        self.index = {self._key(line): line for line in self.lines}

    @staticmethod
    def _key(line):
        return line["system"], line["row"], line["repetition"]

    def _load(self):
        found = []
        with open(self.path, encoding="utf-8") as file:
            for text in file:
                try:
                    found.append(json.loads(text))
                except ValueError:
                    break
        if not found or found[0].get("settings") != self.settings:
            return
        if any("finished" in line for line in found):
            return
        self.lines = found[1:]
        self.resumed = True
        with open(self.path, "w", encoding="utf-8") as file:  # without a line cut short
            for line in found:
                file.write(json.dumps(line) + "\n")

    def _write(self, line, mode="a"):
        with open(self.path, mode, encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def add(self, system, row, repetition, **fields):
        """fields: seconds and output, or failed (why); and what else was noticed."""
        line = {"system": system, "row": row, "repetition": repetition, **fields}
        self.lines.append(line)
        self.index[self._key(line)] = line
        self._write(line)

    def finish(self):
        self._write({"finished": True})

    def has(self, system, row, repetition):
        return (system, row, repetition) in self.index

    def failure(self, system, row):
        """Why the row failed on the system in any repetition, or None."""
        for line in self.lines:
            if line["system"] == system and line["row"] == row and "failed" in line:
                return line["failed"]
        return None

    def seconds(self, system, row):
        return self.values(system, row, "seconds")

    def values(self, system, row, field):
        """A field of all repetitions in which it was noticed."""
        return [
            line[field]
            for line in self.lines
            if line["system"] == system and line["row"] == row and field in line
        ]
