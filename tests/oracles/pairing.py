"""Slow twin of `quire.kernels.groth16.verify`: the ate pairing of BN254 by definition.

Fq12 is Fq[w] / (w^12 - 18 w^6 + 82), lists of twelve numbers; i = w^6 - 9. Points are pairs of such
elements, `None` at infinity, so one addition serves both curves once the twist is undone.
"""

from itertools import starmap

P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
LOOP = 29793968203157093288  # 6x + 2
DEGREE = 12
ONE = [1] + [0] * 11
THREE = [3] + [0] * 11


def _reduced(product):
    for top in range(len(product) - 1, DEGREE - 1, -1):
        value = product.pop()
        product[top - 6] += 18 * value
        product[top - 12] -= 82 * value
    return [value % P for value in product]


def mul(a, b):
    product = [0] * (2 * DEGREE - 1)
    for i, x in enumerate(a):
        if x:
            for j, y in enumerate(b):
                product[i + j] += x * y
    return _reduced(product)


def add(a, b):
    return [(x + y) % P for x, y in zip(a, b, strict=True)]


def sub(a, b):
    return [(x - y) % P for x, y in zip(a, b, strict=True)]


def power(base, exponent):
    result = ONE
    for bit in bin(exponent)[2:]:
        result = mul(result, result)
        if bit == "1":
            result = mul(result, base)
    return result


def _degree(polynomial):
    return max((i for i, value in enumerate(polynomial) if value), default=0)


def inverse(a):
    """By Euclid's algorithm on polynomials."""
    low, high = [1] + [0] * DEGREE, [0] * (DEGREE + 1)
    r, s = [*a, 0], [82, 0, 0, 0, 0, 0, -18 % P, 0, 0, 0, 0, 0, 1]
    while _degree(r):
        while _degree(s) >= _degree(r):
            shift = _degree(s) - _degree(r)
            factor = s[_degree(s)] * pow(r[_degree(r)], -1, P) % P
            for i in range(DEGREE + 1 - shift):
                s[i + shift] = (s[i + shift] - factor * r[i]) % P
                high[i + shift] = (high[i + shift] - factor * low[i]) % P
            if not any(s):
                raise ZeroDivisionError
        low, high, r, s = high, low, s, r
    scale = pow(r[0], -1, P)
    return [value * scale % P for value in low[:DEGREE]]


def number(value):
    return [value % P] + [0] * 11


def g1(x, y):
    return (number(x), number(y))


def g2(x0, x1, y0, y1):
    """A point of the twist, moved to the curve over Fq12: x·w^2 and y·w^3, with i = w^6 - 9."""

    def spread(real, imaginary, shift):
        element = [0] * 12
        element[shift], element[shift + 6] = (real - 9 * imaginary) % P, imaginary % P
        return element

    return (spread(x0, x1, 2), spread(y0, y1, 3))


def slope(a, b):
    if a[0] != b[0]:
        return mul(sub(b[1], a[1]), inverse(sub(b[0], a[0])))
    return mul(mul(THREE, mul(a[0], a[0])), inverse(add(a[1], a[1])))


def plus(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and a[1] != b[1]:
        return None
    m = slope(a, b)
    x = sub(sub(mul(m, m), a[0]), b[0])
    return (x, sub(mul(m, sub(a[0], x)), a[1]))


def times(point, scalar):
    result = None
    for bit in bin(scalar)[2:]:
        result = plus(result, result)
        if bit == "1":
            result = plus(result, point)
    return result


def line(a, b, at):
    """The line through a and b, at a point."""
    if a[0] == b[0] and a[1] != b[1]:
        return sub(at[0], a[0])
    return sub(mul(slope(a, b), sub(at[0], a[0])), sub(at[1], a[1]))


def frobenius(point):
    return (power(point[0], P), power(point[1], P))


def miller(p, q):
    value, t = ONE, q
    for bit in bin(LOOP)[3:]:
        value = mul(mul(value, value), line(t, t, p))
        t = plus(t, t)
        if bit == "1":
            value = mul(value, line(t, q, p))
            t = plus(t, q)
    q1 = frobenius(q)
    q2 = frobenius(q1)
    value = mul(value, line(t, q1, p))
    t = plus(t, q1)
    return mul(value, line(t, (q2[0], sub(number(0), q2[1])), p))


def product_is_one(pairs):
    """Whether the product of the pairings of all (point of G1, point of G2) is one."""
    product = ONE
    for left, right in pairs:
        if left is not None:
            product = mul(product, miller(left, right))
    return power(product, (P**DEGREE - 1) // R) == ONE


def numbers(words):
    return [int.from_bytes(words[at : at + 32], "big") for at in range(0, len(words), 32)]


def negative(point):
    return (point[0], sub(number(0), point[1]))


def verify(key_words, public, proof):
    """Words as in `quire.formats.snarkjs`."""
    key = numbers(key_words)
    inputs = list(starmap(g1, zip(key[14::2], key[15::2], strict=True)))
    total = inputs[0]
    for value, point in zip(numbers(public), inputs[1:], strict=True):
        total = plus(total, times(point, value)) if value else total
    a, b, c = numbers(proof)[:2], numbers(proof)[2:6], numbers(proof)[6:]
    return product_is_one(
        (
            (negative(g1(*a)), g2(*b)),
            (g1(*key[:2]), g2(*key[2:6])),
            (total, g2(*key[6:10])),
            (g1(*c), g2(*key[10:14])),
        )
    )
