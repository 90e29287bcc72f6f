//! Input gradients, and the angle between two of them.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{gradient, gradient_cosine};
use isopath::datasets::Dataset;
use isopath::losses::Loss;
use isopath::models::Network;

use crate::common::{CrossEntropy, Custom, Mlp, batch, values};

#[test]
fn gradient_equals_central_differences() -> Result<()> {
    // h = 1e-5: truncation h² ≈ 1e-10, cancellation 1e-16 / h ≈ 1e-11.
    const STEP: f64 = 1e-5;
    const TOLERANCE: f64 = 1e-9;
    let network = Mlp::random(1, &[12, 7, 4], DType::F64)?;
    let data = batch(2, 3, DType::F64)?;
    let loss = CrossEntropy::default();
    let found = values(&gradient(&network, &loss, &data)?)?;
    let pixels = values(&data.inputs)?;
    let at = |index: usize, step: f64| -> Result<f64> {
        let mut pixels = pixels.clone();
        pixels[index] += step;
        let x = Tensor::from_vec(pixels, (3, 12), &Device::Cpu)?;
        let moved = Dataset::new(x, data.labels.clone())?;
        Ok(loss.loss(&network, &moved)?.to_scalar()?)
    };
    for (index, found) in found.iter().enumerate() {
        let expected = (at(index, STEP)? - at(index, -STEP)?) / (2. * STEP);
        assert!(
            (found - expected).abs() < TOLERANCE,
            "pixel {index}: {found} against {expected}"
        );
    }
    Ok(())
}

#[test]
fn gradient_does_not_ask_where_the_input_came_from() -> Result<()> {
    // An input that is itself the result of a computation with a variable.
    let network = Mlp::random(1, &[12, 4], DType::F32)?;
    let data = batch(2, 3, DType::F32)?;
    let x = (candle_core::Var::from_tensor(&data.inputs)?.as_tensor() * 1.)?;
    let loss = CrossEntropy::default();
    let expected = values(&gradient(&network, &loss, &data)?)?;
    let made = Dataset::new(x, data.labels)?;
    assert_eq!(values(&gradient(&network, &loss, &made)?)?, expected);
    Ok(())
}

#[test]
fn a_gradient_that_is_missing_or_no_number_is_an_error() -> Result<()> {
    let network = Mlp::random(1, &[12, 4], DType::F32)?;
    let data = batch(2, 3, DType::F32)?;
    let message = |loss: &dyn Loss| gradient(&network, loss, &data).unwrap_err().to_string();
    // softmax_last_dim has no backward pass, and says nothing.
    let cut = Custom(|network: &dyn Network, x: &Tensor, _: &Tensor| {
        Ok(candle_nn::ops::softmax_last_dim(&network.forward(x)?)?
            .sqr()?
            .sum_all()?)
    });
    assert!(
        message(&cut).starts_with("gradient is missing; expected"),
        "{}",
        message(&cut)
    );
    // d√u/du at u = 0 times du/dx = 0: a finite loss with a gradient of NaN where a pixel is 0.
    let corner =
        Custom(|_: &dyn Network, x: &Tensor, _: &Tensor| Ok(x.sqr()?.sqrt()?.sum_all()?));
    assert!(
        message(&corner).starts_with("gradient is partly NaN or ∞; expected finite numbers"),
        "{}",
        message(&corner)
    );
    let vector =
        Custom(|network: &dyn Network, x: &Tensor, _: &Tensor| Ok(network.forward(x)?.sum(1)?));
    assert_eq!(
        message(&vector),
        "gradient: loss has shape [3]; expected () (a scalar)"
    );
    Ok(())
}

#[test]
fn cosine_is_that_of_the_two_directions() -> Result<()> {
    let network = Mlp::random(1, &[3, 2], DType::F64)?;
    let x = Tensor::new(&[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], &Device::Cpu)?;
    let data = Dataset::new(x, Tensor::new(&[0u32, 1], &Device::Cpu)?)?;
    // Σ a·x has the gradient a, row by row.
    let along = |a: [[f64; 3]; 2]| {
        Custom(move |_: &dyn Network, x: &Tensor, _: &Tensor| {
            Ok((x * Tensor::new(&a, &Device::Cpu)?)?.sum_all()?)
        })
    };
    let cosine = |a, b| gradient_cosine(&network, &along(a), &along(b), &data);
    let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-15;
    let found = cosine([[3., 4., 0.], [1., 0., 0.]], [[4., 3., 0.], [0., 0., -2.]])?;
    assert!(
        close(found.per_sample[0], 24. / 25.)
            && close(found.per_sample[1], 0.)
            && close(found.mean, 12. / 25.)
    );
    // Length does not matter, however small: squares of 1e-200 are 0.
    let found = cosine(
        [[3e-200, 4e-200, 0.], [1e200, 0., 0.]],
        [[3., 4., 0.], [-1., 0., 0.]],
    )?;
    assert!(
        close(found.per_sample[0], 1.) && close(found.per_sample[1], -1.) && close(found.mean, 0.)
    );
    // A zero gradient has no direction, and does not count.
    let found = cosine([[0., 0., 0.], [1., 1., 0.]], [[1., 2., 3.], [1., 0., 0.]])?;
    assert!(found.per_sample[0].is_none() && close(found.mean, 0.5f64.sqrt()));
    let found = cosine([[0.; 3]; 2], [[1.; 3]; 2])?;
    assert_eq!((found.per_sample, found.mean), (vec![None, None], None));
    let loss = CrossEntropy::default();
    let same = gradient_cosine(&network, &loss, &loss, &data)?;
    assert!(same.per_sample.iter().all(|cosine| close(*cosine, 1.)));
    Ok(())
}
