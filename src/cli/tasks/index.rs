//! The index that an engine gives to a task of an array.

use super::{Failure, Result};

/// The variables of engines, each with the first index of its arrays.
const VARIABLES: [(&str, usize); 5] = [
    ("SLURM_ARRAY_TASK_ID", 0),
    ("AWS_BATCH_JOB_ARRAY_INDEX", 0),
    ("JOB_COMPLETION_INDEX", 0),
    ("PBS_ARRAY_INDEX", 0),
    ("SGE_TASK_ID", 1),
];

/// The index that the engine of this process gives; `variable` is the environment.
///
/// # Errors
/// None does, or it is no index.
pub fn of_engine(variable: &dyn Fn(&str) -> Option<String>) -> Result<usize> {
    // Grid Engine says `undefined` outside an array.
    let given = |name: &str| variable(name).filter(|text| !text.is_empty() && text != "undefined");
    for (name, first) in VARIABLES {
        if let Some(text) = given(name) {
            let index = text.parse::<usize>().ok();
            return index
                .and_then(|index| index.checked_sub(first))
                .ok_or_else(|| {
                    Failure(format!(
                        "{name} is {text:?}; expected an index from {first} on"
                    ))
                });
        }
    }
    let names = VARIABLES.map(|(name, _)| name).join(", ");
    Err(Failure(format!(
        "no index; give it after the plan, or set one of {names}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_those_of_engines() {
        let of = |name: &'static str, text: &'static str| {
            of_engine(&move |asked| (asked == name).then(|| text.to_owned()))
        };
        assert_eq!(of("SLURM_ARRAY_TASK_ID", "7").unwrap(), 7);
        assert_eq!(of("AWS_BATCH_JOB_ARRAY_INDEX", "0").unwrap(), 0);
        assert_eq!(of("JOB_COMPLETION_INDEX", "12").unwrap(), 12);
        assert_eq!(of("PBS_ARRAY_INDEX", "3").unwrap(), 3);
        assert_eq!(of("SGE_TASK_ID", "1").unwrap(), 0);
        for (name, text) in [("SGE_TASK_ID", "0"), ("SLURM_ARRAY_TASK_ID", "-1")] {
            let message = of(name, text).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("{name} is {text:?}; expected")),
                "{message}"
            );
        }
        for text in ["undefined", ""] {
            assert!(
                of("SGE_TASK_ID", text)
                    .unwrap_err()
                    .to_string()
                    .starts_with("no index")
            );
        }
    }
}
