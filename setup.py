"""Build step that setup.cfg cannot express: add the recipes, launch files and card template to the wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = ("configuration", "model_card.md")


class BuildWithShippedFiles(build_py):
    """A build that copies the files of `modeling_multitask.shipped` into the package."""

    def run(self) -> None:
        """Build the modules and copy the files. An editable install uses the files of the checkout."""
        super().run()
        if not self.editable_mode:
            for source in self._sources():
                target = self._target(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return the files of the wheel."""
        return super().get_outputs(include_bytecode) + [str(self._target(source)) for source in self._sources()]

    def _sources(self) -> list[Path]:
        paths = [
            path for name in SHIPPED for path in ((ROOT / name).rglob("*") if (ROOT / name).is_dir() else [ROOT / name])
        ]
        return sorted(path for path in paths if path.is_file() and "__pycache__" not in path.parts)

    def _target(self, source: Path) -> Path:
        return Path(self.build_lib) / "modeling_multitask" / source.relative_to(ROOT)


setup(cmdclass={"build_py": BuildWithShippedFiles})
