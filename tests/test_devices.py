"""Two and three processes on a CPU: equal to one, nothing padded, nothing dropped."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image
from support import TINY, Outcome

RUN = Path("tb_logs/run/version_0")
DEEP = ["--model.arch", "keras_cnn", "--model.arch.widths", "[4]", "--model.arch.dropouts", "[0]"]


def test_several_processes_fit_and_count_every_picture_once(
    spawn: Callable[..., object], plcnn: Callable[..., Outcome]
) -> None:
    # 21 validation pictures in batches of 10: one process has two batches, the other one.
    tiny = [*TINY, *DEEP, "--data.source.train_size", "210", "--data.source.test_size", "91", "--data.batch_size", "10"]
    process = spawn("fit", *tiny, "--trainer.devices", "2", "--trainer.max_epochs", "2")
    out, err = process.communicate(timeout=150)  # type: ignore[attr-defined]
    assert process.returncode == 0, err  # type: ignore[attr-defined]
    assert "batches of 10 (effective 20), 10 an epoch" in out and out.count("epoch 2/2") == 1
    assert [p.name for p in RUN.parent.iterdir()] == ["version_0"]
    single = plcnn("test", "--ckpt_path", RUN).out
    assert "of 91 pictures" in single
    for devices in "23":
        process = spawn("test", "--ckpt_path", str(RUN), "--trainer.accelerator", "cpu", "--trainer.devices", devices)
        out, err = process.communicate(timeout=150)  # type: ignore[attr-defined]
        assert process.returncode == 0, err  # type: ignore[attr-defined]
        assert single.split("pictures)")[0] in out


def test_every_picture_is_predicted_however_many_the_devices(
    spawn: Callable[..., object], plcnn: Callable[..., Outcome]
) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    Image.new("RGB", (8, 8), "red").save("red.png")
    asked = ["predict", "--ckpt_path", str(RUN), "--data.pictures", "[red.png]"]
    process = spawn(*asked, "--trainer.accelerator", "cpu", "--trainer.devices", "2")
    out, err = process.communicate(timeout=150)  # type: ignore[attr-defined]
    assert process.returncode == 0 and "Traceback" not in err  # type: ignore[attr-defined]
    assert plcnn(*asked).out in out and out.count("red.png") == 1


def test_several_processes_validate_as_fit_did(plcnn: Callable[..., Outcome]) -> None:
    outcome = plcnn("fit", *TINY, *DEEP, "--trainer.max_epochs", "1", "--data.val_fraction", "0.105")
    assert outcome.code == 0 and "179 training and 21 validation" in outcome.out
    assert "of 21 pictures" in plcnn("validate", "--ckpt_path", RUN).out
