# SPDX-License-Identifier: MIT
"""Independent reference of the analog crossbar model, written from docs/emulator.md alone; numpy in binary32.

It shares nothing with sim/: no code, no table, no constant.
"""
import numpy as np

F = np.float32
U = np.uint64

# name: tiles, rows, columns, largest weight, quanta per code, ADC bits, log2 of the LSB
BOARDS = {
    "xbar8": (1, 8, 8, 127, 64, 8, 8),
    "xbar64": (4, 64, 64, 7, 1024, 8, 5),
    "xbar256": (4, 256, 256, 127, 64, 8, 10),
    "xbar1024": (1, 1024, 1024, 127, 64, 10, 9),
}
WRITE, READ, SENSE, OUTPUT, STUCK, ADC, PULSE, DEVICE = range(1, 9)
COLUMNS, ROWS = 0xFFFFFFFF, 0xFFFFFFFE
TOP = 16383


def h(*texts):
    return [F(float.fromhex(text)) for text in texts]


LN = h("0x1.204376p-4", "-0x1.d7a37p-4", "0x1.de4a34p-4", "-0x1.fcba9ep-4", "0x1.23d37ep-3", "-0x1.555cap-3",
       "0x1.999d58p-3", "-0x1.fffff8p-3", "0x1.555554p-2")
EXP = h("0x1.a0d2cep-13", "0x1.6e879cp-10", "0x1.11121p-7", "0x1.555382p-5", "0x1.555554p-3", "0x1p-1")
SIN = h("-0x1.9943f2p-13", "0x1.11073cp-7", "-0x1.555546p-3")
COS = h("0x1.99eb9cp-16", "-0x1.6c0c34p-10", "0x1.55554ap-5")
SIGMA = {
    "pcm": [F(c) for c in (0, 0, -1.1731, 1.9650, 0.26348)],
    "1 s": [F(c) for c in (-16.815, 45.393, -43.853, 16.030, 0.348)],
    "1 day": [F(c) for c in (-16.458, 47.095, -50.773, 22.086, 0.701)],
    "2 days": [F(c) for c in (-11.934, 37.062, -43.507, 20.274, 0.782)],
}


def rhe(v):
    """Nearest integer, half to even."""
    return np.rint(v).astype(np.int64)


def clamp(v, low, high):
    return np.minimum(np.maximum(v, F(low)), F(high))


def poly(y, coefficients):
    p = np.full_like(y, coefficients[0])
    for c in coefficients[1:]:
        p = p * y + c
    return p


def ln(x):
    m, e = np.frexp(np.asarray(x, F))
    e = e.astype(F)
    low = m < h("0x1.6a09e6p-1")[0]
    y = m - F(1)
    y = np.where(low, y + m, y)
    e = np.where(low, e - F(1), e)
    z = y * y
    p = (poly(y, LN) * y) * z
    p = p - z * F(0.5)
    return (y + p) + e * h("0x1.62e43p-1")[0]


def exp(x):
    k = np.rint(x * h("0x1.715476p0")[0])
    y = (x - k * h("0x1.63p-1")[0]) - k * h("-0x1.bd0106p-13")[0]
    return np.ldexp((poly(y, EXP) * (y * y) + y) + F(1), k.astype(np.int32))


def philox(seed, words):
    """Four arrays of words of the counters; key of the 64-bit seed."""
    c = [np.asarray(w, U) & U(0xFFFFFFFF) for w in words]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = c[0] * U(0xD2511F53), c[2] * U(0xCD9E8D57)
        c = [b >> U(32) ^ c[1] ^ U(k[0]), b & U(0xFFFFFFFF), a >> U(32) ^ c[3] ^ U(k[1]), a & U(0xFFFFFFFF)]
        k = [k[0] + 0x9E3779B9 & 0xFFFFFFFF, k[1] + 0xBB67AE85 & 0xFFFFFFFF]
    return c


def normals(a, b):
    """sin and cos of two words."""
    u = ((a >> U(8)).astype(F) + F(1)) * F(2.0 ** -24)
    r = np.sqrt(F(-2) * ln(u))
    t = (b << U(2)).astype(np.uint32).view(np.int32).astype(F) * h("0x1.921fb6p-32")[0]
    y = t * t
    s = (poly(y, SIN) * y) * t + t
    c = ((poly(y, COS) * y) * y - y * F(0.5)) + F(1)
    quarter, half = b >> U(30) & U(1) == 1, b >> U(31) == 1
    s, c = np.where(quarter, c, s), np.where(quarter, s, c)
    return r * np.where(half, -s, s), r * np.where(half ^ quarter, -c, c)


def parse_noise(text):
    """device, set of effects, ppm of stuck cells, thousandths of an output code of noise."""
    device, effects, ppm, milli = "wan2022", set(), 1000, 500
    for part in text.split("+"):
        name, _, argument = part.partition(":")
        if name in ("pcm", "wan2022"):
            device = name
            effects |= {"write", "read", "drift"}
        elif name in ("write", "read", "drift") and argument:
            device = argument
        if name == "stuck" and argument:
            ppm = round(float(argument) * 1e6)
        if name == "output" and argument:
            milli = round(float(argument) * 1e3)
        if name not in ("pcm", "wan2022", "off"):
            effects.add(name)
    return device, effects, ppm, milli


class Board:
    """A board after power-up; cells are arrays [tile, row, column, side]."""

    def __init__(self, shape, seed, noise, full_inputs):
        tiles, self.rows, self.cols, self.max, self.q, self.bits, lsb = shape
        self.seed = seed
        self.device, self.effects, self.ppm, self.milli = parse_noise(noise)
        self.full_inputs = full_inputs
        self.input_max = 127 if full_inputs else 63
        self.full = self.max * self.q
        self.us = 25 if self.device == "pcm" else 40
        self.scale = F(1 / (self.q * 2 ** (lsb + full_inputs)))
        cells = (tiles, self.rows, self.cols, 2)
        self.aim, self.g = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
        self.events, self.since, self.pulses = (np.zeros(cells, np.int64) for _ in range(3))
        self.formed = np.full(cells, "pristine" not in self.effects)
        self.now = 0

    # ---- random numbers

    def block(self, purpose, tile, index, line, use):
        return philox(self.seed, np.broadcast_arrays(
            U(purpose << 28 | tile << 16) + np.asarray(index, U), np.asarray(line, U),
            np.asarray(use, U) & U(0xFFFFFFFF), np.asarray(use, U) >> U(32)))

    def cell_block(self, purpose, tile, where, use):
        """Blocks of the cells of tile that `where` (rows, columns, sides) selects."""
        row, col, side = where
        return self.block(purpose, tile, 2 * col + side, row, use)

    def cell_normals(self, purpose, tile, where, use):
        words = self.cell_block(purpose, tile, where, use)
        return normals(words[0], words[1])

    # ---- devices

    def per_us(self):
        return F(self.full) / F(self.us)

    def sigma(self, name, x):
        return np.maximum(poly(x, SIGMA[name]), F(0))

    def quantized(self, v):
        return rhe(clamp(v, 0, TOP))

    def write_cells(self, tile, where, aim):
        at = (tile, *where)
        self.events[at] += 1
        self.since[at] = self.now
        aim = np.where(self.formed[at], aim, 0)
        self.aim[at] = self.g[at] = aim
        if "write" in self.effects:
            x = aim.astype(F) / F(self.full)
            sigma = self.sigma("pcm" if self.device == "pcm" else "1 s", x)
            sin, _ = self.cell_normals(WRITE, tile, where, self.events[at])
            missed = self.quantized(aim.astype(F) + (sigma * self.per_us()) * sin)
            self.g[at] = np.where(self.formed[at], missed, 0)

    def pcm_drifted(self, x, g, age, cos):
        logarithm = ln(np.maximum(x, F(2.0 ** -10)))
        mean = clamp(F(-0.0155) * logarithm + F(0.0244), 0.049, 0.1)
        s = clamp(F(-0.0125) * logarithm + F(-0.0059), 0.008, 0.045)
        nu = np.abs(mean + s * cos)
        return g * exp(-(nu * ln((age.astype(F) + F(20)) / F(20))))

    def wan_drifted(self, x, g, age, sin):
        s1, sd, s2 = (self.sigma(name, x) for name in ("1 s", "1 day", "2 days"))
        since = np.maximum(age, 1).astype(F)
        first = s1 + (ln(since) / h("0x1.6bbc5ep3")[0]) * (sd - s1)
        second = sd + (ln(since / F(86400)) / h("0x1.62e43p-1")[0]) * (s2 - sd)
        s = np.where(age <= 86400, first, np.where(age < 172800, second, s2))
        return g + ((s - s1) * self.per_us()) * sin

    def drifted(self, tile, where):
        at = (tile, *where)
        g, age = self.g[at], self.now - self.since[at]
        if "drift" not in self.effects:
            return g
        x = self.aim[at].astype(F) / F(self.full)
        sin, cos = self.cell_normals(WRITE, tile, where, self.events[at])
        if self.device == "pcm":
            v = self.pcm_drifted(x, g.astype(F), age, cos)
        else:
            v = self.wan_drifted(x, g.astype(F), age, sin)
        return np.where((self.events[at] > 0) & self.formed[at] & (age > 0), self.quantized(v), g)

    def has(self, tile, where):
        """Quanta that the cells have."""
        e = self.drifted(tile, where)
        if "stuck" in self.effects:
            words = self.cell_block(STUCK, tile, where, 0)
            e = np.where(words[0] < U(self.ppm * 2 ** 32 // 10 ** 6),
                         np.where(words[1] >> U(31) == 1, self.full, 0), e)
        return e

    def variance(self, tile, where, e):
        at = (tile, *where)
        if self.device == "pcm":
            x = np.maximum(self.g[at].astype(F) / F(self.full), F(2.0 ** -10))
            q = np.minimum(F(0.0088) / exp(F(0.65) * ln(x)), F(0.2))
            age = self.now - self.since[at] if "drift" in self.effects else np.zeros_like(e)
            t = age.astype(F) + F(20)
            s = (e.astype(F) * q) * np.sqrt(ln((t + F(2.5e-7)) / (F(2) * F(2.5e-7))))
        else:
            s = F(0.01) * e.astype(F)
        return s * s

    def ir_dropped(self, e):
        """e: [row, column, side] of a whole tile."""
        rows, cols = np.arange(self.rows), np.arange(self.cols)
        below = self.rows - np.maximum.outer(rows, rows)
        left = np.minimum.outer(cols, cols) + 1
        s = np.einsum("ik,kjs->ijs", below, e) + (e.sum(axis=2) @ left)[:, :, None]
        w = (((F(0.35) * F(0.5)) * F(self.us)) * F(1e-6)) / F(self.full)
        return rhe(e.astype(F) / (F(1) + w * s.astype(F)))

    # ---- weights

    def where(self, row, col, rows, cols):
        return np.ogrid[row:row + rows, col:col + cols, 0:2]

    def write(self, tile, row, col, rows, cols, codes):
        if np.abs(codes).max() > self.max:
            return False
        codes = codes.reshape(rows, cols).astype(np.int64)
        aim = np.stack([np.maximum(codes, 0), np.maximum(-codes, 0)], axis=2) * self.q
        self.write_cells(tile, self.where(row, col, rows, cols), aim)
        return True

    def code(self, d):
        return rhe(clamp(d / F(self.q), -self.max, self.max))

    def read(self, tile, row, col, rows, cols, use):
        where = self.where(row, col, rows, cols)
        e = self.has(tile, where)
        d = (e[:, :, 0] - e[:, :, 1]).astype(F)
        if "read" in self.effects:
            variance = self.variance(tile, where, e)
            words = self.block(READ, tile, where[1][:, :, 0], where[0][:, :, 0], use)
            d = d + np.sqrt(variance[:, :, 0] + variance[:, :, 1]) * normals(words[0], words[1])[0]
        return self.code(d).astype(np.int8)

    def add(self, tile, row, col, delta):
        aim = self.aim[tile, row, col]
        total = int(self.code(F(aim[0] - aim[1]))) + delta
        code = min(max(total, -self.max), self.max)
        self.write(tile, row, col, 1, 1, np.array([code]))
        return code == total

    def set_time(self, seconds):
        if seconds < self.now:
            return False
        self.now = seconds
        return True

    # ---- inference

    def infer(self, tile, region, transposed, serial, first, inputs):
        """inputs: [batch, inputs] of codes. Outputs and clipped flags, [batch, outputs], or None."""
        if np.abs(inputs).max() > self.input_max:
            return None
        whole = self.where(0, 0, self.rows, self.cols)
        e = self.has(tile, whole)
        sees = self.ir_dropped(e) if "irdrop" in self.effects else e
        row, col, rows, cols = region
        cut = (slice(row, row + rows), slice(col, col + cols))
        d = (sees[:, :, 0] - sees[:, :, 1])[cut]
        out = np.arange(row, row + rows) if transposed else np.arange(col, col + cols)
        line = ROWS if transposed else COLUMNS
        sums = inputs @ (d.T if transposed else d)
        gain, offset = self.adc(tile, out, line)
        add = np.broadcast_to(offset, sums.shape)
        if {"read", "output"} & self.effects:
            add = self.noise(tile, e, cut, transposed, serial, first, inputs, out, line) + offset
        low, high = -2 ** (self.bits - 1), 2 ** (self.bits - 1) - 1
        code = rhe(clamp(sums.astype(F) * (gain * self.scale) + add, low - 1, high + 1))
        return np.clip(code, low, high), (code < low) | (code > high)

    def adc(self, tile, out, line):
        if "adc" not in self.effects:
            return np.ones(len(out), F), np.zeros(len(out), F)
        words = self.block(ADC, tile, out, line, 0)
        sin, cos = normals(words[0], words[1])
        return F(1) + F(0.01) * sin, F(0.5) * cos

    def noise(self, tile, e, cut, transposed, serial, first, inputs, out, line):
        unit, total = F(0), np.zeros((len(inputs), len(out)), np.int64)
        if "read" in self.effects:
            variance = self.variance(tile, self.where(0, 0, self.rows, self.cols), e)
            variance = variance[:, :, 0] + variance[:, :, 1]
            exponent = 0
            while variance.max() > F(127 * 2.0 ** exponent):
                exponent += 1
            v = rhe(variance / F(2.0 ** exponent))[cut]
            b = 0 if serial else 7 if self.full_inputs else 5
            r = np.abs(inputs) if serial else inputs * inputs + (1 << b >> 1) >> b
            total = r @ (v.T if transposed else v)
            unit = (F(2.0 ** (exponent + b)) * self.scale) * self.scale
        s = F(self.milli) / F(1000)
        floor = s * s if "output" in self.effects else F(0)
        sigma = np.sqrt(total.astype(F) * unit + floor)
        return sigma * self.output_normals(tile, out, line, first, len(inputs))

    def output_normals(self, tile, out, line, first, batch):
        use = U(first) + np.arange(batch, dtype=U)[:, None]
        words = self.block(OUTPUT, tile, 4 * (out // 16) + out % 4, line, use)
        low, high = normals(words[0], words[1]), normals(words[2], words[3])
        return np.choose(np.broadcast_to(out // 4 % 4, low[0].shape), [*low, *high])

    # ---- cells

    def one(self, row, col, side):
        return tuple(np.array([n]) for n in (row, col, side))

    def pulse(self, tile, row, col, side, microvolts, ns, count):
        where, at = self.one(row, col, side), (tile, row, col, side)
        zero = (np.zeros(1, F), np.zeros(1, F))
        spread = "write" in self.effects
        start = g = int(self.drifted(tile, where)[0])
        was_formed = self.formed[at]
        sin, cos = self.cell_normals(DEVICE, tile, where, 0) if spread else zero
        v = F(abs(microvolts)) * F(1e-6)
        over = v - (F(1 if microvolts > 0 else 1.1) + F(0.05) * sin[0])
        for _ in range(count):
            self.pulses[at] += 1
            if not self.formed[at]:
                if microvolts >= 0 and v >= F(3) + F(0.1) * cos[0]:
                    self.formed[at] = True
                    g = int(rhe(F(0.5) * F(self.full)))
                continue
            if over <= 0:
                continue
            jitter = self.cell_normals(PULSE, tile, where, self.pulses[at])[0][0] if spread else F(0)
            share = clamp(((over * F(0.1)) * (F(ns) / (F(ns) + F(100)))) * (F(1) + F(0.2) * jitter), 0, 1)
            if microvolts > 0:
                g += int(rhe(share * F(self.full - g))) if g < self.full else 0
            else:
                g -= int(rhe(share * F(g)))
        if g != start or self.formed[at] != was_formed:
            self.aim[at] = self.g[at] = g
            self.events[at] += 1
            self.since[at] = self.now
        return bool(self.formed[at]), int(self.pulses[at])

    def conductance(self, tile, row, col, side, use, averages):
        where = self.one(row, col, side)
        e = self.has(tile, where)
        total = 0
        for k in range(averages):
            g = e.astype(F)
            if "read" in self.effects:
                g = g + np.sqrt(self.variance(tile, where, e)) * self.cell_normals(SENSE, tile, where, use + k)[0]
            total += int(rhe(clamp(g, 0, TOP) * F(256))[0])
        steps = 256 * self.full * averages
        return (self.us * 10 ** 6 * total + steps // 2) // steps

    def current(self, tile, row, col, side, microvolts, ns, use):
        self.pulse(tile, row, col, side, microvolts, ns, 1)
        current = (self.conductance(tile, row, col, side, use, 1) * abs(microvolts) + 5 * 10 ** 8) // 10 ** 9
        return -current if microvolts < 0 else current
