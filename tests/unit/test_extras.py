"""A missing package gives an error with install instructions."""

import pytest

from modeling_multitask.extras import import_extra


def test_a_missing_package_is_named_with_its_extra_and_what_to_install() -> None:
    message = r"^no_such_package is not installed; it comes with the extra 'demo' .*: pip install 'gradio>=[\d.]+'$"

    with pytest.raises(ImportError, match=message):
        import_extra("no_such_package.part", extra="demo")


def test_all_packages_of_an_extra_are_named() -> None:
    with pytest.raises(ImportError, match=r"pip install 'onnx>=.*' 'onnxruntime>=.*' 'onnxscript>=.*'$"):
        import_extra("no_such_package", extra="onnx")
