//! How much a representation stretches near the decision boundary, and far from it.

mod common;

use common::{CPU, message};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::lipschitz::{by_margin, ratios_by_margin};
use isopath::models::{Network, Representation};
use isopath::rng::Rng;

/// Of points x on a line: Φ = x³, logits (−x, x). Its slope 3x² is small at the boundary, x = 0.
#[derive(Clone)]
struct Cube;

impl Network for Cube {
    fn stages(&self) -> usize {
        2
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        Ok(match index {
            0 => x.powf(3.)?,
            _ => {
                let root = (x.abs()?.powf(1. / 3.)? * x.sign()?)?;
                Tensor::cat(&[&root.neg()?, &root], 1)?
            }
        })
    }
}

fn line(n: usize) -> Result<Dataset> {
    let x = Rng::new(0).uniform((n, 1), 0.1, 1., DType::F64, CPU)?;
    Dataset::new(x, Tensor::ones(n, DType::U32, CPU)?)
}

/// The margin at x is 2x and the ratio of close neighbours 3x².
#[test]
fn ratios_are_the_slope_at_their_margin() -> Result<()> {
    let data = line(4_000)?;
    let groups = ratios_by_margin(&Cube, Representation::LastHidden, &data, (3, 4))?;
    assert_eq!(groups.len(), 4);
    for group in &groups {
        let middle = (group.margin.0 + group.margin.1) / 4.;
        let slope = 3. * middle * middle;
        assert!(
            (group.ratio[1] / slope - 1.).abs() < 0.05,
            "{group:?} {slope}"
        );
        assert!(group.ratio[0] < group.ratio[1] && group.ratio[1] < group.ratio[2]);
        assert!((2_999..=3_010).contains(&group.pairs), "{group:?}");
    }
    assert!(groups[0].distortion > groups[2].distortion);
    // The input itself is kept.
    for group in ratios_by_margin(&Cube, Representation::Input, &data, (3, 2))? {
        assert_eq!((group.ratio, group.distortion), ([1.; 3], 0.));
    }
    Ok(())
}

#[test]
fn groups_have_the_ends_of_quantiles() -> Result<()> {
    let ratios: Vec<(f64, f64)> = (0..9).map(|n| (f64::from(n), 2f64.powi(n - 4))).collect();
    let groups = by_margin(&ratios, 4)?;
    let ends: Vec<(f64, f64)> = groups.iter().map(|group| group.margin).collect();
    assert_eq!(ends, [(0., 2.), (2., 4.), (4., 6.), (6., 8.)]);
    // The median ratio is 1, and the group's own median lies two or one powers of two from it.
    let logs: Vec<f64> = groups
        .iter()
        .map(|group| group.distortion / 2f64.ln())
        .collect();
    assert!(
        logs.iter()
            .zip([3., 1., 1., 3.])
            .all(|(a, b)| (a - b).abs() < 1e-12),
        "{logs:?}"
    );
    assert!(by_margin(&[], 4)?.is_empty());
    Ok(())
}

#[test]
fn bad_input_is_named() -> Result<()> {
    let data = line(10)?;
    let text = |data: &Dataset, counts| {
        message(ratios_by_margin(
            &Cube,
            Representation::LastHidden,
            data,
            counts,
        ))
    };
    assert_eq!(text(&data, (0, 4)), "neighbors is 0; expected at least 1");
    assert_eq!(text(&data, (3, 0)), "groups is 0; expected at least 1");
    assert_eq!(
        text(&data.first(1)?, (3, 4)),
        "pairs is none; expected at least one of different inputs in one class"
    );
    let holes = Tensor::new(&[[f64::NAN], [1.]], CPU)?;
    let holes = common::data(&holes, &Tensor::new(&[0u32, 0], CPU)?);
    assert_eq!(
        text(&holes, (1, 1)),
        "logits is partly NaN or ∞; expected finite numbers"
    );
    Ok(())
}
