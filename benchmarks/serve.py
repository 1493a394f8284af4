"""What does `plcnn serve` cost? Requests a second and their latencies, against the bare network in the same process.

    python benchmarks/serve.py
    python benchmarks/serve.py --arch resnet18 --requests 200

Takes turns: the network alone on one picture at a time, and on batches of 64; and the server, asked for a PNG of the
network's size over and over by 1, 8 and 32 clients at once from another process. `of alone` is requests a second over
those of the network on one picture at a time: above 1, pictures that come together share batches. Clients and server
share the processor.
"""

import io
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clients import HOST, load
from common import Report, median_ratio, parser, turn_by_turn

AT_ONCE = (1, 8, 32)


@contextmanager
def served(classifier: Any) -> Iterator[int]:
    """A server in a thread of this process; its port."""
    import uvicorn

    from plcnn.serve.app import application
    from plcnn.serve.listening import listen

    with listen(HOST, 0) as listening:
        settings = uvicorn.Config(application(classifier, 10, HOST), log_level="warning", access_log=False)
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def alone(classifier: Any, images: Any, batch_size: int, device: Any) -> Callable[[], list[float]]:
    """A function that answers pictures in batches, and returns each batch's seconds, and last the whole's."""
    from device import seconds

    from plcnn.inference import predict_probabilities

    def answer() -> list[float]:
        each = [
            seconds(lambda: predict_probabilities(classifier, batch, None, batch_size), device)  # noqa: B023
            for batch in images.split(batch_size)
        ]
        return [*each, sum(each)]

    return answer


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--arch", default="keras_cnn", help="(default: keras_cnn)")
    options.add_argument("--requests", type=int, default=1000, help="of each kind and turn (default: 1000)")
    given = options.parse_args(arguments)

    import torch
    from device import choose
    from PIL import Image

    from plcnn.classifier import Classifier

    device, count = choose(given.accelerator), given.requests
    report = Report(given, device=device)
    classes = [str(number) for number in range(10)]
    classifier = Classifier(classes, (3, 32, 32), given.arch).to(device).eval()
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
    picture = io.BytesIO()
    Image.fromarray(images[0].permute(1, 2, 0).numpy()).save(picture, "PNG")
    with served(classifier) as port:
        sides: dict[str, Callable[[], list[float]]] = {
            "network, one at a time": alone(classifier, images, 1, device),
            "network, 64 at a time": alone(classifier, images, 64, device),
        }
        for at_once in AT_ONCE:
            sides[f"served to {at_once}"] = lambda n=at_once: load(port, n, count, picture.getvalue())  # type: ignore[misc]
        turn_by_turn(sides, 1)  # once in vain, so that all are warm
        turns = turn_by_turn(sides, given.repeats)
    rates = {name: [count / turn[-1] for turn in results] for name, results in turns.items()}
    for name, results in turns.items():
        latencies = sorted(1000 * latency for turn in results for latency in turn[:-1])
        cuts = statistics.quantiles(latencies, n=100, method="inclusive") if len(latencies) > 1 else latencies * 99
        report.add(
            **{
                "what": name,
                "pictures/s": statistics.median(rates[name]),
                "of alone": median_ratio(rates[name], rates["network, one at a time"]),
                "median ms": cuts[49],
                "95 % ms": cuts[94],
                "99 % ms": cuts[98],
            }
        )


if __name__ == "__main__":
    main()
