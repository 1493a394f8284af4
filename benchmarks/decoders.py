"""Which library decodes JPEGs fastest? Pictures a second on one core, decoded and resized, and how pixels differ.

    python benchmarks/decoders.py
    python benchmarks/decoders.py --big 40

Takes turns on three sizes of pictures, which are made of the embedded data set's and lie in memory: Pillow; Pillow that
decodes at a part of the size where that leaves twice the wanted one (`draft`); simplejpeg, torchvision and OpenCV, as
far as they are installed; and plcnn's own reading, which takes simplejpeg where there is one, and reduces. All resize
by Pillow. `of Pillow` is the median of the turns' ratios; differences are of 255 levels, from Pillow's whole decoding.
"""

import io
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from common import Report, median_ratio, parser, quiet, turn_by_turn

SIZES = {"32 × 32": (32, 32, 32), "500 × 376": (500, 376, 224), "4000 × 3000": (4000, 3000, 224)}
"""Width and height, and the size that they are brought to."""

Decoder = Callable[[bytes, int], np.ndarray]


def made(width: int, height: int, count: int) -> list[bytes]:
    """JPEGs: mosaics of the embedded data set's pictures, enlarged."""
    from PIL import Image

    from plcnn.data.sources.shapes import Shapes

    images = Shapes(train_size=10, test_size=400).test()[0].permute(0, 2, 3, 1).numpy()
    across = max(1, min(8, width // 64))
    down = max(1, across * height // width)
    contents = []
    for number in range(count):
        picks = [images[(number + place) % len(images)] for place in range(across * down)]
        rows = [np.concatenate(picks[row * across : (row + 1) * across], 1) for row in range(down)]
        picture = Image.fromarray(np.concatenate(rows)).resize((width, height), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90)
        contents.append(buffer.getvalue())
    return contents


def resized(picture: Any, size: int) -> np.ndarray:
    from PIL import Image

    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    return np.asarray(picture if picture.size == (size, size) else picture.resize((size, size), 2))


def pillow(content: bytes, size: int) -> np.ndarray:
    from PIL import Image

    return resized(Image.open(io.BytesIO(content)).convert("RGB"), size)


def reduced(content: bytes, size: int) -> np.ndarray:
    from PIL import Image

    picture = Image.open(io.BytesIO(content))
    picture.draft(None, (2 * size, 2 * size))  # type: ignore[arg-type]
    return resized(picture.convert("RGB"), size)


def own(content: bytes, size: int) -> np.ndarray:
    from plcnn.data.reading.pictures import read_picture

    return read_picture(io.BytesIO(content), (3, size, size)).transpose(1, 2, 0)


def decoders() -> dict[str, Decoder]:
    """Those that are installed."""
    found: dict[str, Decoder] = {"Pillow": pillow, "Pillow, reduced": reduced, "plcnn": own}
    try:
        import simplejpeg

        found["simplejpeg"] = lambda content, size: resized(simplejpeg.decode_jpeg(content), size)
    except ImportError:
        pass
    try:
        import torch
        from torchvision.io import ImageReadMode, decode_jpeg

        def torchvision(content: bytes, size: int) -> np.ndarray:
            data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            return resized(decode_jpeg(data, ImageReadMode.RGB).permute(1, 2, 0).contiguous().numpy(), size)

        found["torchvision"] = torchvision
    except ImportError:
        pass
    try:
        import cv2

        cv2.setNumThreads(1)

        def opencv(content: bytes, size: int) -> np.ndarray:
            return resized(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB), size)

        found["OpenCV"] = opencv
    except ImportError:
        pass
    return found


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--small", type=int, default=1000, help="pictures of 32 × 32 (default: 1000)")
    options.add_argument("--photos", type=int, default=100, help="of 500 × 376 (default: 100)")
    options.add_argument("--big", type=int, default=8, help="of 4000 × 3000 (default: 8)")
    given = options.parse_args(arguments)

    import torch
    from device import choose, seconds

    torch.set_num_threads(1)
    device, report = choose("cpu"), Report(given)
    for (name, (width, height, size)), count in zip(SIZES.items(), (given.small, given.photos, given.big), strict=True):
        if not count:
            continue
        contents = made(width, height, count)
        whole = np.stack([pillow(content, size) for content in contents]).astype(int)

        def rate(decode: Decoder, contents: list[bytes] = contents, size: int = size) -> float:
            return len(contents) / seconds(lambda: [decode(content, size) for content in contents], device)

        found = decoders()
        sides = {side: lambda decode=decode: rate(decode) for side, decode in found.items()}
        with quiet():  # torchvision says that its decoders will go
            turns = turn_by_turn(sides, given.repeats)
            decoded = {
                side: np.stack([decode(content, size) for content in contents]) for side, decode in found.items()
            }
        for side, rates in turns.items():
            difference = np.abs(decoded[side] - whole)
            report.add(
                **{
                    "decoded": f"{name} to {size}: {side}",
                    "pictures/s": statistics.median(rates),
                    "of Pillow": median_ratio(rates, turns["Pillow"]),
                    "largest difference": int(difference.max()),
                    "mean difference": float(difference.mean()),
                }
            )


if __name__ == "__main__":
    main()
