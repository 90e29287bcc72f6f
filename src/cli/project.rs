//! Where things are: the checkout and cargo's target folder.

use std::path::{Path, PathBuf};

use super::{Failure, Result};

/// The checkout that this binary was built from.
#[derive(Clone, Debug)]
pub struct Project {
    /// The path of the folder of Cargo.toml.
    pub root: PathBuf,
    /// The path of cargo's target folder.
    pub target: PathBuf,
    /// The triple of the host, under which cargo puts what it builds for the host.
    pub triple: String,
    /// The path of this binary.
    pub binary: PathBuf,
}

impl Project {
    /// Finds the project of the running binary, `<target>/<triple>/<profile>/isopath`.
    ///
    /// # Errors
    /// The checkout is gone, or the binary is not where cargo puts it.
    pub fn here() -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        if !root.join("Cargo.toml").is_file() {
            return Err(Failure(format!(
                "{} does not exist any more, but this binary was built there; run `cargo build` in your checkout",
                root.display()
            )));
        }
        let binary = std::env::current_exe()
            .map_err(|error| Failure(format!("the path of this binary cannot be read: {error}")))?;
        Self::of_binary(root, &binary).ok_or_else(|| {
            Failure(format!(
                "{} is not in cargo's target folder; start it with `cargo run --` in {}",
                binary.display(),
                env!("CARGO_MANIFEST_DIR")
            ))
        })
    }

    fn of_binary(root: PathBuf, binary: &Path) -> Option<Self> {
        let triple_folder = binary.parent()?.parent()?;
        let triple = triple_folder.file_name()?.to_str()?.to_owned();
        let target = triple_folder.parent()?.to_path_buf();
        Some(Self {
            root,
            target,
            triple,
            binary: binary.to_path_buf(),
        })
    }

    /// The path of the folder of notebooks.
    pub fn notebooks(&self) -> PathBuf {
        self.root.join("notebooks")
    }

    /// The path of the virtual environment that `setup` makes where none is active.
    pub fn venv(&self) -> PathBuf {
        self.root.join(".venv")
    }

    /// The path of the package that `setup` compiles the library for, as a cell would, and that
    /// kernels take it from.
    pub fn seed(&self) -> PathBuf {
        self.target.join("kernels/seed")
    }

    /// The path of the kernels' build folders: `ISOPATH_KERNELS`, else in the target folder.
    pub fn kernels(&self) -> PathBuf {
        std::env::var_os("ISOPATH_KERNELS")
            .map_or_else(|| self.target.join("kernels"), PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_and_triple_come_from_the_binary() {
        let binary = Path::new("/a/target/x86_64-unknown-linux-gnu/debug/isopath");
        let project = Project::of_binary("/a".into(), binary).unwrap();
        assert_eq!(project.target, Path::new("/a/target"));
        assert_eq!(project.triple, "x86_64-unknown-linux-gnu");
        assert!(Project::of_binary("/a".into(), Path::new("isopath")).is_none());
    }
}
