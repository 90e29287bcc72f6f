//! The papers' experiments, each as the sweep that its notebook runs after showing one case step by
//! step.

pub mod cifar10;
pub mod connectivity_cifar10;
mod curve;
pub mod decoders;
pub mod isometry_mnist;
pub mod isometry_rings;
pub mod isometry_torus;

pub use curve::Curve;

/// The middle value, the mean of both in the middle for an even number; none of none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_even_and_odd_counts() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3., 1., 2.]), Some(2.));
        assert_eq!(median(vec![4., 1., 2., 3.]), Some(2.5));
    }
}
