"""Folders and packages as users have them."""

import os

from conftest import Kernel


def test_any_folder_will_do(tmp_path):
    """Spaces and accents, in the kernel's folder and in the notebook's; and there a crate of the user's own."""
    folder = tmp_path / "ein größerer Ordner"
    crate = folder / "my crate"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "own"\nversion = "0.1.0"\nedition = "2024"\n')
    (crate / "src/lib.rs").write_text("pub struct Own(pub Vec<f64>);\npub fn own() -> Own { Own(vec![1., 2.]) }\n")
    kernel = Kernel(cwd=str(folder), env={**os.environ, "ISOPATH_KERNELS": str(folder / "kernels")})
    try:
        # The type of `values` is known only to who has read the crate's source.
        kernel.ok(':dep own = { path = "my crate" }\nlet values = own::own();')
        assert kernel.ok("values.0.iter().sum::<f64>()").value == {"text/plain": "3.0"}
        place = kernel.ok("std::env::current_dir()?.display().to_string()").value["text/plain"]
        assert place == f'"{folder}"', "cells run in the notebook's folder"
    finally:
        kernel.shut_down()
