//! The Jacobian penalty.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::losses::{CrossEntropy, JacobianPenalty, Loss};
use isopath::models::{Activation, Layer, LipschitzMlp, Mlp, Model, Network};
use isopath::rng::Rng;

use crate::common::{CPU, assert_close, message, values, with_threads};
use crate::fixture::{assert_differences, assert_loss, batch, fixture, network};

fn exact(lambda: f64) -> JacobianPenalty {
    JacobianPenalty {
        projections: None,
        ..JacobianPenalty::new(lambda)
    }
}

#[test]
fn the_exact_penalty_and_its_gradients_are_those_of_pytorch() -> Result<()> {
    let data = batch()?;
    for case in &fixture().jacobian {
        let activation = match case.activation.as_str() {
            "tanh" => Activation::Tanh,
            _ => Activation::Relu,
        };
        let model = network(activation)?;
        let loss = exact(case.weight);
        let norm = values(&loss.norm(&model, &data)?);
        assert_close(&norm, &[case.norm], 1e-13 * case.norm);
        assert_loss(
            &loss.loss(&model, &data)?,
            &model,
            case.value,
            &case.gradients,
        );
    }
    Ok(())
}

#[test]
fn gradients_are_difference_quotients() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    for projections in [None, Some(1), Some(3)] {
        let loss = JacobianPenalty {
            projections,
            ..JacobianPenalty::new(0.3)
        };
        assert_differences(&loss, &model, &data, 1e-8)?;
    }
    // Through layers that are computed themselves.
    let model = Model::on(2, DType::F64, CPU, |vb| {
        LipschitzMlp::new(&[6, 4, 3], Activation::Tanh, vb)
    })?;
    let data = Dataset::new(data.inputs, Tensor::new(&[0u32, 1, 2, 1, 0], CPU)?)?;
    assert_differences(&exact(0.3), &model, &data, 1e-8)
}

/// One projection misses the norm by about √(2/C) of it at most; the mean of n of them by √n less.
#[test]
fn the_exact_norm_is_the_mean_over_projections() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    let known = fixture().jacobian[0].norm;
    let estimate = |projections, seed| -> Result<f64> {
        let loss = JacobianPenalty {
            projections: Some(projections),
            seed,
            ..JacobianPenalty::default()
        };
        Ok(values(&loss.norm(&model, &data)?)[0])
    };
    let many = estimate(20_000, 0)?;
    assert!((many / known - 1.).abs() < 0.01, "{many} {known}");
    let mean = (0..2_000)
        .map(|seed| estimate(1, seed))
        .sum::<Result<f64>>()?
        / 2_000.;
    assert!((mean / known - 1.).abs() < 0.03, "{mean} {known}");
    assert_ne!(estimate(1, 0)?, estimate(1, 1)?);
    Ok(())
}

#[test]
fn a_batch_has_projections_of_its_own_whatever_the_threads() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    let loss = JacobianPenalty::new(0.1);
    let norm = |data: &Dataset| -> Result<f64> { Ok(values(&loss.norm(&model, data)?)[0]) };
    let known = norm(&data)?;
    for threads in [1, 2, 3] {
        assert_eq!(with_threads(threads, || norm(&data).unwrap()), known);
    }
    // The same images twice would keep the value if they kept the vectors.
    let other = Dataset::new(data.inputs.clone(), Tensor::new(&[0u32, 0, 0, 0, 0], CPU)?)?;
    assert_ne!(norm(&other)?, known);
    Ok(())
}

#[test]
fn without_weight_it_is_the_cross_entropy() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    let own = values(&JacobianPenalty::new(0.).loss(&model, &data)?);
    assert_close(&own, &values(&CrossEntropy.loss(&model, &data)?), 1e-15);
    let terms = exact(0.3).terms(&model, &data)?;
    let sum = values(&terms.cross_entropy.unwrap())[0] + 0.15 * fixture().jacobian[0].norm;
    assert_close(&values(&terms.loss), &[sum], 1e-12);
    Ok(())
}

/// J of a linear network is its matrix.
#[test]
fn the_norm_of_a_linear_network_is_that_of_its_matrix() -> Result<()> {
    let model = Model::on(0, DType::F32, CPU, |vb| {
        Mlp::new(&[12, 5], Activation::Tanh, vb)
    })?;
    let weight = model.weight(0)?.unwrap();
    let known = f64::from(weight.sqr()?.sum_all()?.to_scalar::<f32>()?);
    let images = Rng::new(0).uniform((7, 3, 4), 0., 1., DType::F32, CPU)?;
    let data = Dataset::new(images, Tensor::zeros(7, DType::U32, CPU)?)?;
    let found = values(&exact(1.).norm(&model, &data)?)[0];
    assert!((found / known - 1.).abs() < 1e-6, "{found} {known}");
    Ok(())
}

#[test]
fn bad_input_is_named() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    let text = |loss: JacobianPenalty| message(loss.loss(&model, &data));
    assert_eq!(
        text(JacobianPenalty::new(-1.)),
        "lambda is -1; expected a finite number ≥ 0"
    );
    assert!(text(JacobianPenalty::new(f64::NAN)).starts_with("lambda is NaN"));
    let none = JacobianPenalty {
        projections: Some(0),
        ..JacobianPenalty::default()
    };
    assert_eq!(text(none), "projections is 0; expected at least 1");
    let one = Model::on(0, DType::F64, CPU, |vb| {
        Mlp::new(&[6, 1], Activation::Tanh, vb)
    })?;
    let zeros = Dataset::new(data.inputs.clone(), Tensor::zeros(5, DType::U32, CPU)?)?;
    assert_eq!(
        message(exact(1.).loss(&one, &zeros)),
        "JacobianPenalty: logits has shape [5, 1]; expected (5, classes), at least 2 classes"
    );

    /// A network that gives no layers, or a sum.
    #[derive(Clone)]
    struct Other(Option<Layer>);
    impl Network for Other {
        fn stages(&self) -> usize {
            1
        }
        fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
            Ok(x.clone())
        }
        fn layers(&self, _: usize) -> Result<Option<Vec<Layer>>> {
            Ok(self.0.clone().map(|layer| vec![layer]))
        }
    }
    let expected = "expected linear layers, flattening, tanh and ReLU alone, given by the \
                    network's `layers`";
    assert_eq!(
        message(exact(1.).loss(&Other(None), &data)),
        format!("layer is unknown in stage 0; {expected}")
    );
    let sum = Layer::Sum { input: 0, other: 0 };
    assert_eq!(
        message(exact(1.).loss(&Other(Some(sum)), &data)),
        format!("layer is Sum in stage 0; {expected}")
    );
    let pool = Layer::GlobalAveragePool { input: 0 };
    assert_eq!(
        message(exact(1.).loss(&Other(Some(pool)), &data)),
        format!("layer is GlobalAveragePool in stage 0; {expected}")
    );
    Ok(())
}
