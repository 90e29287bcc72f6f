//! What a test finds, and in which words.

use std::error::Error;
use std::fmt::Debug;

use super::values::Values;

/// The result of a test: nothing, or why it failed. `?` takes every error.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Tests that numbers are those that are expected.
///
/// ```text
/// |found_i − expected_i| ≤ tolerance · (1 + |expected_i|)    for all i
/// ```
///
/// - **Shapes**: both the same, any. A number has the shape [].
///
/// # Errors
/// The shapes differ, or a number does: the one that differs most is named, with its place. A number
/// that is not finite differs from every other one.
pub fn close(
    found: &(impl Values + ?Sized),
    expected: &(impl Values + ?Sized),
    tolerance: f64,
) -> Outcome {
    let (found, expected) = (found.numbers()?, expected.numbers()?);
    if found.shape != expected.shape {
        return Err(format!("expected shape {:?}, got {:?}", expected.shape, found.shape).into());
    }
    let excess = |&(found, expected): &(&f64, &f64)| {
        let difference = (found - expected).abs() / (1. + expected.abs());
        match (found == expected, difference.is_nan()) {
            (true, _) => 0.,
            (false, true) => f64::INFINITY,
            (false, false) => difference,
        }
    };
    let pairs = || found.values.iter().zip(&expected.values);
    let count = pairs().filter(|pair| excess(pair) > tolerance).count();
    let worst = pairs()
        .enumerate()
        .max_by(|(_, one), (_, other)| excess(one).total_cmp(&excess(other)));
    match worst {
        Some((at, (found_value, expected_value))) if count > 0 => {
            let (expected_value, found_value) = (number(*expected_value), number(*found_value));
            let mut message = format!("expected {expected_value}, got {found_value}");
            if !found.shape.is_empty() {
                let place = place(at, &found.shape);
                let all = found.values.len();
                message.push_str(&format!(" at {place:?}; {count} of {all} numbers differ"));
            }
            Err(message.into())
        }
        _ => Ok(()),
    }
}

/// Tests that a value is the one that is expected.
///
/// # Errors
/// It is another one; both are named.
pub fn equal<T: PartialEq<U> + Debug, U: Debug>(found: &T, expected: &U) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, got {found:?}").into())
    }
}

/// Tests a condition.
///
/// # Errors
/// It does not hold: `otherwise` says what came.
pub fn holds(condition: bool, otherwise: impl Into<String>) -> Outcome {
    if condition {
        Ok(())
    } else {
        Err(otherwise.into().into())
    }
}

/// A number with six decimals, without zeros at the end; a very small or large one by its exponent.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0. || !value.is_finite() || (1e-4..1e7).contains(&size) {
        let rounded = format!("{value:.6}");
        rounded
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        format!("{value:.4e}")
    }
}

/// The indices of the value number `at` of an array.
fn place(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let index = at % size;
            at /= size;
            index
        })
        .collect();
    place.reverse();
    place
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    fn message(outcome: Outcome) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn numbers_are_close_or_the_worst_is_named() {
        let points = Tensor::new(&[[0f32, 5.], [5., 0.]], &Device::Cpu).unwrap();
        assert!(close(&points, &[[0., 5.], [5., 0.]], 1e-6).is_ok());
        let found = close(&points, &[[0., 5.], [4., 1.]], 1e-6);
        assert_eq!(
            message(found),
            "expected 1, got 0 at [1, 1]; 2 of 4 numbers differ"
        );
        assert_eq!(
            message(close(&points, &[0., 5.], 1e-6)),
            "expected shape [2], got [2, 2]"
        );
        assert!(close(&1e6, &(1e6 + 1.), 1e-6).is_ok());
        assert_eq!(
            message(close(&0.25f32, &1e-9, 1e-6)),
            "expected 1.0000e-9, got 0.25"
        );
        assert_eq!(
            message(close(&vec![1., f64::NAN], &[1., 2.], 1.)),
            "expected 2, got NaN at [1]; 1 of 2 numbers differ"
        );
        assert!(close(&f64::INFINITY, &f64::INFINITY, 0.).is_ok());
        assert!(close(&f64::INFINITY, &1., 1.).is_err());
        assert!(close(&Vec::<f64>::new(), &Vec::<f64>::new(), 0.).is_ok());
        let ragged = close(&vec![vec![1.], vec![1., 2.]], &1., 0.);
        assert_eq!(
            message(ragged),
            "row 1 has shape [2], the rows before it [1]"
        );
    }

    #[test]
    fn values_and_conditions() {
        assert!(equal(&vec![1, 2], &[1, 2]).is_ok());
        assert_eq!(message(equal(&"a", &"b")), "expected \"b\", got \"a\"");
        assert!(holds(true, "").is_ok());
        assert_eq!(message(holds(false, "it is red")), "it is red");
    }
}
