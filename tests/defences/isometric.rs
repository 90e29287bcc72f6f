//! The isometric loss as the paper's authors computed it: scaled, normalised, squared.

use std::sync::Arc;

use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::Manhattan;
use isopath::losses::{IsometricLoss, Loss, Partition};
use isopath::models::Activation;

use crate::common::{CPU, assert_close, message, values};
use crate::fixture::{Isometric, assert_differences, batch, fixture, network};

fn loss(case: &Isometric) -> IsometricLoss {
    IsometricLoss {
        scale: case.scale,
        normalised: case.normalised,
        squared: case.squared,
        ..IsometricLoss::new(1.)
    }
}

#[test]
fn the_terms_of_the_authors_and_their_gradients_are_those_of_pytorch() -> Result<()> {
    let known = fixture();
    let labels = Tensor::new(known.point_labels.as_slice(), CPU)?;
    for case in &known.isometric {
        let x = Var::from_tensor(&Tensor::from_slice(&known.points, (7, 4), CPU)?)?;
        let z = Var::from_tensor(&Tensor::from_slice(&known.representations, (7, 3), CPU)?)?;
        let term = loss(case).isometric(&x, &z, &labels)?;
        assert_close(&values(&term), &[case.value], 1e-13 * (1. + case.value));
        let gradients = term.backward()?;
        for (var, expected) in [(&x, &case.of_x), (&z, &case.of_z)] {
            let largest = expected.iter().fold(1f64, |a, b| a.max(b.abs()));
            assert_close(
                &values(gradients.get(var).unwrap()),
                expected,
                1e-12 * largest,
            );
        }
    }
    Ok(())
}

#[test]
fn gradients_are_difference_quotients() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    for case in &fixture().isometric {
        let own = IsometricLoss {
            partition: Partition::Global,
            ..loss(case)
        };
        // Third derivatives grow with the scale, and by the fourth power where it is squared.
        let size = values(&own.loss(&model, &data)?)[0];
        assert_differences(&own, &model, &data, 1e-7 * (1. + size))?;
    }
    Ok(())
}

#[test]
fn a_map_a_tenth_as_long_is_an_isometry_of_scale_ten() -> Result<()> {
    let x = Tensor::from_slice(&fixture().points, (7, 4), CPU)?;
    let labels = Tensor::new(fixture().point_labels.as_slice(), CPU)?;
    let tenth = (&x / 10.)?;
    let term = |loss: IsometricLoss| -> Result<f64> {
        Ok(values(&loss.isometric(&x, &tenth, &labels)?)[0])
    };
    let scaled = IsometricLoss {
        scale: 10.,
        ..IsometricLoss::default()
    };
    assert!(term(scaled)? < 1e-28);
    assert!(term(IsometricLoss::default())? > 0.1);
    // Normalised, every length is the same.
    let normalised = IsometricLoss {
        normalised: true,
        ..IsometricLoss::default()
    };
    assert!(term(normalised.clone())? < 1e-28);
    // No pair has a distance: nothing to divide by.
    let same = Tensor::ones((7, 4), DType::F64, CPU)?;
    let none = normalised.isometric(&same, &same, &labels)?;
    assert_eq!(values(&none), [0.]);
    Ok(())
}

#[test]
fn the_default_says_what_it_always_said() -> Result<()> {
    // A checkpoint compares this text.
    assert_eq!(
        IsometricLoss::new(1.).describe(),
        "IsometricLoss { alpha: 1.0, beta: 1.0, partition: Local, representation: LastHidden, \
         distance: Euclidean }"
    );
    let other = loss(&fixture().isometric[3]).describe();
    assert!(other.ends_with("distance: Euclidean, scale: 10.0, normalised: true, squared: true }"));
    Ok(())
}

#[test]
fn bad_input_is_named() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    let text = |loss: IsometricLoss| message(loss.loss(&model, &data));
    for scale in [0., -1., f64::INFINITY] {
        let loss = IsometricLoss {
            scale,
            ..IsometricLoss::default()
        };
        assert_eq!(
            text(loss),
            format!("scale is {scale}; expected a finite number > 0")
        );
    }
    let manhattan = IsometricLoss {
        distance: Arc::new(Manhattan),
        normalised: true,
        ..IsometricLoss::default()
    };
    assert_eq!(
        text(manhattan),
        "distance is Manhattan; expected Euclidean with another scale than 1, and where it is \
         normalised"
    );
    let scaled = IsometricLoss {
        scale: 10.,
        ..IsometricLoss::default()
    };
    assert!(
        message(isopath::lipschitz::isometric_gradient(
            &model, &scaled, &data
        ))
        .contains("expected the distances as they are")
    );
    Ok(())
}
