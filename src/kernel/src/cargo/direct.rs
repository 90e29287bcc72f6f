//! Compiling a cell without cargo.
//!
//! Between two cells only the code changes, yet cargo looks at each of four hundred packages again,
//! for as long as the compiler then takes. So how cargo calls the compiler is noted, by everything
//! that it depends on, and the next cells call it so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How cargo calls the compiler for the cells' package.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Call {
    program: String,
    arguments: Vec<String>,
    variables: BTreeMap<String, String>,
    /// Where the compiler puts the library.
    made: PathBuf,
    /// Where cargo puts it.
    library: PathBuf,
    /// What cargo says about it: a line of JSON.
    artifact: String,
}

impl Call {
    /// Reads it from what `cargo build -vv --message-format=json` has printed. None if the package
    /// was not compiled.
    pub fn read(errors: &str, output: &str) -> Option<Self> {
        let line = errors.lines().rev().find(|line| {
            line.trim_start().starts_with("Running `") && line.contains(" --crate-name ctx ")
        })?;
        let line = line
            .trim_start()
            .strip_prefix("Running `")?
            .strip_suffix('`')?;
        let mut words = shell_words::split(line).ok()?.into_iter().peekable();
        let mut variables = BTreeMap::new();
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        while let Some((name, value)) = words.peek().and_then(|word| word.split_once('='))
            && is_name(name)
        {
            variables.insert(name.to_owned(), value.to_owned());
            words.next();
        }
        let program = words.next()?;
        let arguments: Vec<String> = words.collect();
        let folder = arguments
            .iter()
            .position(|argument| argument == "--out-dir");
        let folder = folder.and_then(|at| arguments.get(at + 1))?;
        let artifact = output.lines().find(|line| artifact(line).is_some())?;
        let library = self::artifact(artifact)?;
        let made = Path::new(folder).join(library.file_name()?);
        Some(Self {
            program,
            arguments,
            variables,
            made,
            library,
            artifact: artifact.to_owned(),
        })
    }

    /// The compiler's command, in the workspace's folder.
    pub fn command(&self, workspace: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(&self.variables)
            .current_dir(workspace);
        command
    }

    /// Puts the library where cargo would put it; gives what cargo would say.
    ///
    /// # Errors
    /// The library cannot be put there.
    pub fn finish(&self) -> std::io::Result<String> {
        if self.made != self.library {
            let _ = std::fs::remove_file(&self.library);
            std::fs::hard_link(&self.made, &self.library)?;
        }
        Ok(format!("{}\n", self.artifact))
    }
}

/// The library that a line of cargo's says it has made of the cells' package.
pub fn artifact(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["target"]["name"] != "ctx" {
        return None;
    }
    let is_library = |file: &&str| file.ends_with("libctx.so") || file.ends_with("libctx.dylib");
    message["filenames"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .find(is_library)
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTIFACT: &str = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"ctx\"},\"filenames\":[\"/a b/debug/libctx.so\"]}";

    #[test]
    fn a_call_is_read_from_what_cargo_prints() {
        let errors = "       Fresh serde v1\n     Running `A=1 B='two words' /bin/rustc --crate-name ctx --edition=2024 src/lib.rs \
            --check-cfg 'cfg(docsrs,test)' --out-dir '/a b/debug/deps' -C x=y`\n    Finished\n";
        let output = format!("{{\"reason\":\"build-script-executed\"}}\n{ARTIFACT}\n");
        let call = Call::read(errors, &output).unwrap();
        assert_eq!(call.program, "/bin/rustc");
        assert_eq!(call.variables["B"], "two words");
        assert_eq!(call.variables.len(), 2);
        assert!(call.arguments.contains(&"cfg(docsrs,test)".to_owned()));
        assert_eq!(call.made, Path::new("/a b/debug/deps/libctx.so"));
        assert_eq!(call.library, Path::new("/a b/debug/libctx.so"));
        assert_eq!(Call::read("       Fresh ctx v1\n", &output), None);
    }

    #[test]
    fn the_library_is_the_one_of_the_cells() {
        assert_eq!(
            artifact(ARTIFACT),
            Some(PathBuf::from("/a b/debug/libctx.so"))
        );
        assert_eq!(artifact(&ARTIFACT.replace("ctx\"}", "isopath\"}")), None);
        assert_eq!(artifact("no json"), None);
    }
}
