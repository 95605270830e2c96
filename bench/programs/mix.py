# What Python programs are made of: objects, dictionaries, strings, regular expressions, big
# numbers, floating point. The argument is the number of rounds.
import hashlib
import json
import math
import re
import sys


class Node:
    def __init__(self, key):
        self.key = key
        self.left = self.right = None

    def insert(self, key):
        if key < self.key:
            if self.left:
                self.left.insert(key)
            else:
                self.left = Node(key)
        elif self.right:
            self.right.insert(key)
        else:
            self.right = Node(key)

    def depth(self):
        below = [side.depth() for side in (self.left, self.right) if side]
        return 1 + max(below, default=0)


def tree(seed):
    root = Node(seed)
    for _ in range(2000):
        seed = (seed * 1103515245 + 12345) % 2147483648
        root.insert(seed)
    return root.depth()


def words(seed):
    text = " ".join(str((seed + i) * 7919 % 1009) for i in range(5000))
    count = {}
    for word in re.findall(r"\b[1-9]\d*\b", text):
        count[word] = count.get(word, 0) + 1
    common = sorted(count.items(), key=lambda item: (-item[1], item[0]))[:50]
    return hashlib.sha256(json.dumps(json.loads(json.dumps(common))).encode()).hexdigest()


def numbers(seed):
    spectrum = sum(math.sqrt(i * i + seed) / (i + 1.5) for i in range(1, 5000))
    return f"{spectrum:.6f} {pow(3, 2000 + seed, 10**200 + 357)}"


result = hashlib.sha256()
for number in range(int(sys.argv[1])):
    result.update(f"{tree(number)} {words(number)} {numbers(number)}".encode())
print(result.hexdigest())
