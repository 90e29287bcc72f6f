//! Spectral normalisation.

use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::lipschitz::{layer_norms, spectral_norm};
use isopath::losses::CrossEntropy;
use isopath::metrics::accuracy;
use isopath::models::{
    Activation, Model, Network as _, Representation, SpectralMlp, spectrally_normalised,
};
use isopath::optimizers::Optimizer;
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{TrainParams, train};

use crate::common::{CPU, assert_close, gradients_along, message, values};
use crate::fixture::{assert_differences, batch, fixture};

/// The vectors of a power iteration are exact up to the root of its tolerance, 1e-7, and the
/// gradient is as exact as they are; the value twice as many digits.
#[test]
fn values_and_gradients_are_those_of_singular_values() -> Result<()> {
    for case in &fixture().spectral {
        let tensor = |numbers: &[f64]| Tensor::from_slice(numbers, case.shape.as_slice(), CPU);
        let weight = Var::from_tensor(&tensor(&case.weight)?)?;
        let normalised = spectrally_normalised(&weight, 1.)?;
        assert_close(&values(&normalised), &case.normalised, 1e-12);
        let gradient = &gradients_along(&normalised, &tensor(&case.along)?, &[&weight])?[0];
        assert_close(gradient, &case.gradient, 1e-6);
        let tripled = spectrally_normalised(&weight, 3.)?;
        assert_close(&values(&(tripled / 3.)?), &case.normalised, 1e-12);
    }
    Ok(())
}

#[test]
fn gradients_are_difference_quotients() -> Result<()> {
    let model = Model::on(2, DType::F64, CPU, |vb| {
        SpectralMlp::new(&[6, 5, 4], Activation::Tanh, 1.5, vb)
    })?;
    assert_differences(&CrossEntropy, &model, &batch()?, 1e-6)
}

#[test]
fn every_layer_has_the_norm_that_was_asked_for() -> Result<()> {
    let sizes = [50, 40, 40, 60, 10];
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-6)] {
        for constant in [1., 0.5, 2.] {
            let model = Model::on(0, dtype, CPU, move |vb| {
                SpectralMlp::new(&sizes, Activation::Relu, constant, vb)
            })?;
            for norm in layer_norms(&model, Representation::Logits)? {
                let ratio = norm / constant;
                assert!(
                    (ratio - 1.).abs() < tolerance,
                    "{dtype:?} {constant} {norm}"
                );
            }
        }
    }
    // Equal singular values, the largest beside others, and numbers whose powers overflow.
    for matrix in [
        [[1f64, 0., 0.], [0., 1., 0.]],
        [[1., 0., 0.], [0., 0.9999, 0.]],
        [[1e150, 2e150, 0.], [3e150, -1e150, 1e150]],
        [[1e-150, 2e-150, 0.], [3e-150, -1e-150, 1e-150]],
    ] {
        let normalised = spectrally_normalised(&Tensor::new(&matrix, CPU)?, 1.)?;
        let norm = spectral_norm(&normalised)?;
        assert!((norm - 1.).abs() < 1e-4, "{matrix:?}: {norm}");
    }
    let zeros = Tensor::zeros((2, 3), DType::F64, CPU)?;
    assert_eq!(values(&spectrally_normalised(&zeros, 1.)?), [0.; 6]);
    Ok(())
}

#[test]
fn bad_input_is_named() -> Result<()> {
    let flat = Tensor::zeros(3, DType::F32, CPU)?;
    assert_eq!(
        message(spectrally_normalised(&flat, 1.)),
        "spectrally_normalised: weight has shape [3]; expected (outputs, inputs)"
    );
    let build = |constant| {
        message(Model::new(0, move |vb| {
            SpectralMlp::new(&[2, 2], Activation::Tanh, constant, vb)
        }))
    };
    assert_eq!(build(0.), "constant is 0; expected a finite number > 0");
    assert!(build(f64::NAN).starts_with("constant is NaN"));
    Ok(())
}

#[test]
fn it_learns_and_answers_the_same_when_frozen() -> Result<()> {
    let points = Rng::new(0).uniform((200, 2), -1., 1., DType::F32, CPU)?;
    let labels: Vec<u32> = points
        .to_vec2::<f32>()?
        .iter()
        .map(|point| u32::from(point[0] + point[1] > 0.))
        .collect();
    let data = Dataset::new(points.clone(), Tensor::new(labels, CPU)?)?;
    let model = Model::on(0, DType::F32, CPU, |vb| {
        SpectralMlp::new(&[2, 16, 2], Activation::Relu, 1., vb)
    })?;
    let params = TrainParams {
        epochs: 20,
        batch_size: 20,
        optimizer: Optimizer::adam(0.02),
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    train(&model, &data, &CrossEntropy, &params)?;
    assert!(accuracy(&model, &data)? > 0.95);
    let frozen = model.freeze()?;
    assert_eq!(
        values(&frozen.forward(&points)?),
        values(&model.forward(&points)?)
    );
    assert_eq!(format!("{frozen:?}"), "SpectralMlp([2, 16, 2], Relu)");
    Ok(())
}
