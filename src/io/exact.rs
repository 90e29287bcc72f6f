//! JSON whose numbers come back bit for bit.
//!
//! serde_json reads a decimal number to within one unit of its last place. Here each float is a text
//! with a mark before it, which Rust's own parser reads exactly.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

/// Stands before a float; a text that begins with it gets a second one.
const MARK: char = '≈';

/// The JSON text of a value; NaN and infinite numbers become null, as in any JSON.
///
/// # Errors
/// The value has no JSON form.
pub(crate) fn to_text(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(marked(serde_json::to_value(value)?).to_string())
}

/// The value of a text that [`to_text`] has made.
///
/// # Errors
/// The text is not of such a value.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_value(unmarked(serde_json::from_str(text)?)?)
}

fn marked(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => Value::String(format!("{MARK}{float:?}")),
            None => Value::Number(number),
        },
        Value::String(text) if text.starts_with(MARK) => Value::String(format!("{MARK}{text}")),
        Value::Array(items) => items.into_iter().map(marked).collect(),
        Value::Object(fields) => {
            let own = fields
                .into_iter()
                .map(|(name, value)| (name, marked(value)));
            Value::Object(own.collect())
        }
        other => other,
    }
}

fn unmarked(value: Value) -> serde_json::Result<Value> {
    Ok(match value {
        Value::String(text) => match text.strip_prefix(MARK) {
            Some(rest) if rest.starts_with(MARK) => Value::String(rest.to_owned()),
            Some(rest) => Value::Number(
                rest.parse()
                    .ok()
                    .and_then(Number::from_f64)
                    .ok_or_else(|| serde_json::Error::custom(format!("no number: {rest}")))?,
            ),
            None => Value::String(text),
        },
        Value::Array(items) => {
            let items = items.into_iter().map(unmarked);
            Value::Array(items.collect::<serde_json::Result<_>>()?)
        }
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| Ok((name, unmarked(value)?)));
            Value::Object(fields.collect::<serde_json::Result<_>>()?)
        }
        other => other,
    })
}

/// A float that JSON shows as a text, `"0.001"`, and that comes back bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Exact(pub f64);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        f64::from_str(&text).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn numbers_and_texts_come_back_as_they_were() {
        // The second is one that serde_json's quick parser gets wrong in the last place.
        let floats = vec![0.1, 1.1125369292536007e-308, -0., 1., 1e300, 5e-324];
        let value = BTreeMap::from([("≈a".to_owned(), floats.clone()), ("b".to_owned(), vec![])]);
        let back: BTreeMap<String, Vec<f64>> = from_text(&to_text(&value).unwrap()).unwrap();
        let bits = |all: &[f64]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back["≈a"]), bits(&floats));
        let texts = ["≈0.5", "≈≈", "0.5", ""].map(str::to_owned).to_vec();
        let back: Vec<String> = from_text(&to_text(&texts).unwrap()).unwrap();
        assert_eq!(back, texts);
        let mixed = (3, -4i64, true, None::<f64>, 2.5);
        let back: (u64, i64, bool, Option<f64>, f64) =
            from_text(&to_text(&mixed).unwrap()).unwrap();
        assert_eq!(back, mixed);
        assert!(from_text::<f64>("\"≈x\"").is_err());
    }

    #[test]
    fn an_exact_number_is_a_text() {
        let text = serde_json::to_string(&Exact(0.001)).unwrap();
        assert_eq!(text, "\"0.001\"");
        assert_eq!(serde_json::from_str::<Exact>(&text).unwrap(), Exact(0.001));
        assert!(serde_json::from_str::<Exact>("\"a\"").is_err());
    }
}
