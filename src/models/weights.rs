//! Weights from a file, whatever their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, pickle};

use crate::error::{Error, Result};
use crate::io::safetensors;

/// The named tensors of a file, to load into a [`Model`](super::Model).
///
/// Files of PyTorch often name their tensors otherwise than the network here. Prefixes can be
/// dropped and names replaced.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// # let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
/// # let weight = ("module.fc.weight".into(), zeros(&[2, 3])?);
/// # let tensors = [weight, ("module.fc.bias".into(), zeros(&[2])?)];
/// # let file = Weights { tensors: tensors.into(), path: "mine.pth".into() };
/// // let file = Weights::read("mine.pth")?;
/// let weights = file.without_prefix("module.").renamed(&[("fc", "layers.0")])?;
/// let network = Model::new(0, |vb| Mlp::new(&[3, 2], Activation::Tanh, vb))?;
/// let network = network.with_weights(&weights)?;
/// assert_eq!(network.weights()[0].to_vec2::<f32>()?, [[0.; 3]; 2]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Weights {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// The file that the tensors come from, for messages.
    pub path: PathBuf,
}

impl Weights {
    /// Reads the tensors of a file: safetensors, or a `state_dict()` that PyTorch's `torch.save`
    /// wrote (`.pt`, `.pth`, `.bin`), also inside a dictionary with an entry `state_dict`,
    /// `model_state_dict` or `model`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not whole, or holds no tensors.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let pickled = path
            .extension()
            .is_some_and(|end| ["pt", "pth", "bin"].iter().any(|own| end == *own));
        let tensors = if pickled {
            pickled_tensors(path)?
        } else {
            safetensors::read(path, &Device::Cpu)?.0
        };
        match tensors.is_empty() {
            true if pickled => Err(Error::file(path, SAVED, "no named tensors")),
            true => Err(Error::file(path, "named tensors", "none")),
            false => Ok(Self {
                tensors,
                path: path.to_path_buf(),
            }),
        }
    }

    /// Removes `prefix` from the names that begin with it: PyTorch's parallel modules put `module.`
    /// before every name.
    pub fn without_prefix(mut self, prefix: &str) -> Self {
        let short = |name: String| {
            name.strip_prefix(prefix)
                .map(str::to_string)
                .unwrap_or(name)
        };
        self.tensors = self
            .tensors
            .into_iter()
            .map(|(name, tensor)| (short(name), tensor))
            .collect();
        self
    }

    /// Gives the tensors other names: for each pair (from, to), the first part of a name that is
    /// `from`, or begins with `from.`, becomes `to`.
    ///
    /// # Errors
    ///
    /// No name begins with a `from`, or two tensors would have one name.
    pub fn renamed(mut self, pairs: &[(&str, &str)]) -> Result<Self> {
        for (from, to) in pairs {
            let rest = |name: &str| {
                let rest = name.strip_prefix(from)?;
                (rest.is_empty() || rest.starts_with('.')).then(|| rest.to_string())
            };
            let old = std::mem::take(&mut self.tensors);
            let mut found = false;
            for (name, tensor) in old {
                let new = match rest(&name) {
                    Some(rest) => {
                        found = true;
                        format!("{to}{rest}")
                    }
                    None => name,
                };
                if self.tensors.insert(new.clone(), tensor).is_some() {
                    let got = format!("two tensors that would be named {new}");
                    return Err(Error::file(
                        &self.path,
                        "different names after renaming",
                        got,
                    ));
                }
            }
            if !found {
                // Beginnings of as many parts, or of one more.
                let end = from.matches('.').count();
                let begin = |end: usize| {
                    move |name: &String| {
                        let dot = name.match_indices('.').nth(end);
                        name[..dot.map_or(name.len(), |(dot, _)| dot)].to_string()
                    }
                };
                let names = self.tensors.keys();
                let longer = names.clone().map(begin(end + 1));
                let begins: Vec<String> = names.map(begin(end)).chain(longer).collect();
                let names = self.tensors.keys().map(String::as_str);
                let hint = match nearest(from, begins.iter().map(String::as_str)) {
                    Some(near) => format!("; the nearest is {near}"),
                    None => there_are(names),
                };
                let expected = format!("a name that begins with {from}");
                return Err(Error::file(
                    &self.path,
                    expected,
                    format!("no such name{hint}"),
                ));
            }
        }
        Ok(self)
    }

    /// Leaves out the tensors whose names begin with `prefix`.
    pub fn without(mut self, prefix: &str) -> Self {
        self.tensors.retain(|name, _| !name.starts_with(prefix));
        self
    }
}

/// What a file of PyTorch must be.
const SAVED: &str = "a file of torch.save(module.state_dict(), …)";

fn pickled_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let refused = |error: candle_core::Error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default().to_string();
        Error::file(path, SAVED, line)
    };
    std::fs::metadata(path).map_err(Error::io(path))?;
    let mut all = pickle::read_all(path).map_err(refused)?;
    for key in ["state_dict", "model_state_dict", "model"] {
        if all.is_empty() {
            // A file without the key is an error here.
            all = pickle::read_all_with_key(path, Some(key)).unwrap_or_default();
        }
    }
    Ok(all.into_iter().collect())
}

/// The first names of a file, for an error.
pub(crate) fn there_are<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = names.collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let first = &names[..names.len().min(SHOWN)];
    match first.is_empty() {
        true => String::new(),
        false => format!("; there are {}{more}", first.join(", ")),
    }
}

/// The name that differs least from `name`, if any is near; a prefix more or less, such as
/// `module.`, is no difference.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let prefixed = |long: &str, short: &str| {
        let prefix = long.strip_suffix(short);
        prefix.is_some_and(|prefix| prefix.ends_with('.'))
    };
    let difference = |other: &str| match prefixed(other, name) || prefixed(name, other) {
        true => 0,
        false => strsim::levenshtein(name, other),
    };
    let near = names
        .map(|other| (difference(other), other))
        .min_by_key(|(d, _)| *d)?;
    (near.0 <= name.chars().count().max(4) / 2).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;

    fn weights(names: &[&str]) -> Weights {
        let zero = || Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let tensors = names
            .iter()
            .map(|name| (name.to_string(), zero()))
            .collect();
        Weights {
            tensors,
            path: "mine".into(),
        }
    }

    fn names(weights: Weights) -> Vec<String> {
        weights.tensors.into_keys().collect()
    }

    #[test]
    fn prefixes_are_dropped_and_names_replaced() {
        let mine = weights(&["module.fc.weight", "module.fc.bias", "module.fc2.weight"]);
        let short = mine.without_prefix("module.");
        let renamed = short
            .clone()
            .renamed(&[("fc", "layers.0"), ("fc2.weight", "w")])
            .unwrap();
        assert_eq!(names(renamed), ["layers.0.bias", "layers.0.weight", "w"]);
        assert_eq!(names(short.clone().without("fc.")), ["fc2.weight"]);
        let missing = short
            .clone()
            .renamed(&[("fc3", "a")])
            .unwrap_err()
            .to_string();
        assert_eq!(
            missing,
            "mine: no such name; the nearest is fc; expected a name that begins with fc3"
        );
        let parallel = weights(&["module.fc.bias"]).renamed(&[("fc", "a")]);
        assert_eq!(
            parallel.unwrap_err().to_string(),
            "mine: no such name; the nearest is module.fc; expected a name that begins with fc"
        );
        let strange = short.clone().renamed(&[("stem.conv", "a")]);
        assert_eq!(
            strange.unwrap_err().to_string(),
            "mine: no such name; there are fc.bias, fc.weight, fc2.weight; \
             expected a name that begins with stem.conv"
        );
        let twice = short.renamed(&[("fc2", "fc")]).unwrap_err().to_string();
        assert!(
            twice.starts_with("mine: two tensors that would be named fc.weight"),
            "{twice}"
        );
    }

    #[test]
    fn the_nearest_name_has_the_fewest_changes() {
        assert_eq!(
            nearest("layer.0.weight", ["layers.0.weight", "fc"].into_iter()),
            Some("layers.0.weight")
        );
        assert_eq!(nearest("x", ["something else"].into_iter()), None);
        assert_eq!(
            nearest("fc.bias", ["fd.bias", "module.fc.bias"].into_iter()),
            Some("module.fc.bias")
        );
    }
}
