//! Layers that never stretch, and networks of them.

mod common;

use common::{
    CPU, assert_close, gradients_along, message, run_with_every_instruction_set, values, wave,
    with_threads,
};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::lipschitz::{margin_constant, spectral_norm, spectral_norm_bound};
use isopath::losses::CrossEntropy;
use isopath::metrics::accuracy;
use isopath::models::{
    Activation, LipschitzMlp, Mlp, Model, Network as _, Representation, almost_orthogonal,
};
use isopath::ops::{gram_sums, gram_sums_composite};
use isopath::optimizers::Optimizer;
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{TrainParams, train};

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     n = torch.Size(shape).numel()
///     return torch.sin(torch.arange(n) + start).reshape(shape)
/// w = wave(3, 4, start=1.).requires_grad_()
/// y = w * (w.T @ w).abs().sum(1).pow(-0.5)
/// (y * wave(3, 4, start=2.)).sum().backward()
/// print(y.tolist()); print(w.grad.tolist())
/// ```
#[test]
fn rescaling_and_its_gradient_are_those_of_pytorch() -> Result<()> {
    let weight = Var::from_tensor(&wave(&[3, 4], 1.)?)?;
    let rescaled = almost_orthogonal(&weight)?;
    let expected = [
        [
            0.3642635820632409,
            0.5106160368385912,
            0.07106440132274354,
            -0.32571740401102806,
        ],
        [
            -0.4151078260837877,
            -0.15690579354181722,
            0.330841529538531,
            0.4258062066721287,
        ],
        [
            0.1784015829172181,
            -0.3054950947882878,
            -0.5035693119219856,
            -0.23093361741971125,
        ],
    ];
    assert_close(&values(&rescaled), &expected.concat(), 1e-15);
    let gradient = &gradients_along(&rescaled, &wave(&[3, 4], 2.)?, &[&weight])?[0];
    let expected = [
        [
            0.2313660855173793,
            -0.13945295698226784,
            -0.33741559334794,
            -0.24243859445910146,
        ],
        [
            0.09834158480878506,
            0.47096931599517305,
            0.2373924150186154,
            -0.05169200502327853,
        ],
        [
            -0.35992678466913974,
            -0.47623922106321925,
            0.027075517911290065,
            0.3100148931253331,
        ],
    ];
    assert_close(gradient, &expected.concat(), 1e-14);
    Ok(())
}

/// The sums and their gradient, in one and several parts, of whole numbers with a column of zeros: then both ways are
/// exact.
#[test]
fn gram_sums_are_those_of_the_definition_on_any_number_of_threads() -> Result<()> {
    for (outputs, inputs) in [(1, 1), (5, 32), (3, 223), (4, 250), (9, 100), (130, 70)] {
        let whole = (wave(&[outputs, inputs], 1.)? * 3.)?.round()?;
        let zeros = Tensor::zeros((outputs, 1), DType::F64, CPU)?;
        let weight = Var::from_tensor(&Tensor::cat(&[&whole, &zeros], 1)?)?;
        let along = (wave(&[inputs + 1], 2.)? * 5.)?.round()?;
        let both = |sums: Tensor| -> Result<[Vec<f64>; 2]> {
            let gradient = gradients_along(&sums, &along, &[&weight])?.concat();
            Ok([values(&sums), gradient])
        };
        let expected = both(gram_sums_composite(&weight)?)?;
        let rows = values(&weight);
        let product = |i: usize, j: usize| -> f64 {
            let columns = rows.chunks(inputs + 1);
            columns.map(|row| row[i] * row[j]).sum()
        };
        let sum = |i: usize| (0..=inputs).map(|j| product(i, j).abs()).sum();
        assert_eq!(expected[0], (0..=inputs).map(sum).collect::<Vec<f64>>());
        assert!(expected[1].iter().any(|gradient| *gradient != 0.));
        for threads in 1..4 {
            assert_eq!(
                with_threads(threads, || both(gram_sums(&weight)?))?,
                expected
            );
        }
    }
    Ok(())
}

/// Central differences, in f64.
#[test]
fn gram_sums_have_the_gradient_of_differences() -> Result<()> {
    let (numbers, along) = (wave(&[3, 5], 0.4)?, wave(&[5], 0.9)?);
    let weight = Var::from_tensor(&numbers)?;
    let gradient = &gradients_along(&gram_sums(&weight)?, &along, &[&weight])?[0];
    let numbers = values(&numbers);
    for (at, gradient) in gradient.iter().enumerate() {
        let value = |step: f64| -> Result<f64> {
            let mut moved = numbers.clone();
            moved[at] += step;
            let moved = Tensor::from_vec(moved, (3, 5), CPU)?;
            Ok((gram_sums(&moved)? * &along)?.sum_all()?.to_scalar()?)
        };
        // A quadratic function between the signs' changes: no error but that of rounding, 1e-16 / step.
        let difference = (value(1e-4)? - value(-1e-4)?) / 2e-4;
        assert!((difference - gradient).abs() < 1e-10, "{at}: {difference}");
    }
    Ok(())
}

#[test]
fn gram_sums_refuse_what_is_no_matrix() -> Result<()> {
    let numbers = Tensor::zeros((2, 3, 4), DType::F32, CPU)?;
    let expected = "gram_sums: weight has shape [2, 3, 4]; expected (outputs, inputs)";
    assert_eq!(message(gram_sums(&numbers)), expected);
    assert_eq!(message(gram_sums_composite(&numbers)), expected);
    let whole = Tensor::zeros((2, 3), DType::U32, CPU)?;
    assert!(message(gram_sums(&whole)).contains("floating-point"));
    assert!(
        values(&gram_sums(&Tensor::zeros((0, 2), DType::F64, CPU)?)?)
            .iter()
            .all(|x| *x == 0.)
    );
    assert!(values(&gram_sums(&Tensor::zeros((2, 0), DType::F64, CPU)?)?).is_empty());
    Ok(())
}

#[test]
fn gram_sums_with_every_instruction_set() {
    run_with_every_instruction_set("gram_sums_with_every_instruction_set");
}

/// Central differences of the whole network's output in each weight, in f64.
#[test]
fn gradients_flow_through_the_rescaling() -> Result<()> {
    let model = Model::on(2, DType::F64, CPU, |vb| {
        LipschitzMlp::new(&[3, 4, 2], Activation::Tanh, vb)
    })?;
    let x = wave(&[5, 3], 0.3)?;
    let along = wave(&[5, 2], 0.7)?;
    let weight = model.parameters().named()["layers.0.weight"].clone();
    let gradient = &gradients_along(&model.forward(&x)?, &along, &[&weight])?[0];
    let numbers = values(&weight);
    let value = |numbers: &[f64]| -> Result<f64> {
        weight.set(&Tensor::from_slice(numbers, weight.shape(), CPU)?)?;
        Ok((model.forward(&x)? * &along)?.sum_all()?.to_scalar()?)
    };
    let step = 1e-6;
    for at in 0..numbers.len() {
        let moved = |step: f64| {
            let mut moved = numbers.clone();
            moved[at] += step;
            value(&moved)
        };
        let difference = (moved(step)? - moved(-step)?) / (2. * step);
        // The third derivative times the squared step, and 1e-16 / step.
        assert!(
            (difference - gradient[at]).abs() < 1e-8,
            "{at}: {difference}"
        );
    }
    Ok(())
}

#[test]
fn rescaled_matrices_stretch_nothing() -> Result<()> {
    for (rows, columns) in [
        (1, 1),
        (1, 5),
        (5, 1),
        (7, 7),
        (20, 33),
        (33, 20),
        (100, 17),
    ] {
        for dtype in [DType::F32, DType::F64] {
            let mut rng = Rng::new(rows as u64);
            let weight = rng.normal((rows, columns), 0.3, 1., dtype, CPU)?;
            let rescaled = almost_orthogonal(&weight)?;
            let (norm, bound) = (spectral_norm(&rescaled)?, spectral_norm_bound(&rescaled)?);
            assert!(norm <= 1. + 1e-6, "{rows} {columns}: {norm}");
            assert!(
                bound >= norm * (1. - 1e-12) && bound <= norm * 1.001,
                "{bound} {norm}"
            );
        }
    }
    // An orthogonal matrix stays; a column of zeros, too.
    let turn = Tensor::new(&[[0.6f64, -0.8, 0.], [0.8, 0.6, 0.]], CPU)?;
    let found = values(&almost_orthogonal(&turn)?);
    assert_close(&found, &values(&turn), 1e-15);
    let flat = Tensor::zeros(3, DType::F32, CPU)?;
    assert_eq!(
        message(almost_orthogonal(&flat)),
        "almost_orthogonal: weight has shape [3]; expected (outputs, inputs)"
    );
    Ok(())
}

/// The singular values of diag(5, 5, 1)·1e±200 are known, and the two largest are equal.
#[test]
fn norms_from_above_are_just_above() -> Result<()> {
    for scale in [1., 1e200, 1e-200] {
        let matrix = (Tensor::new(&[[5f64, 0., 0.], [0., -5., 0.], [0., 0., 1.]], CPU)? * scale)?;
        let bound = spectral_norm_bound(&matrix)? / scale;
        assert!((5. ..5.005).contains(&bound), "{bound}");
    }
    assert_eq!(
        spectral_norm_bound(&Tensor::zeros((2, 3), DType::F32, CPU)?)?,
        0.
    );
    // The rows (3, 4) and (0, 0) are 5 apart; the first matrix has the norm 2.
    let mlp = Model::on(0, DType::F64, CPU, |vb| {
        Mlp::new(&[2, 2, 2], Activation::Relu, vb)
    })?;
    let named = mlp.parameters().named();
    named["layers.0.weight"].set(&Tensor::new(&[[2f64, 0.], [0., 1.]], CPU)?)?;
    named["layers.1.weight"].set(&Tensor::new(&[[3f64, 4.], [0., 0.]], CPU)?)?;
    let constant = margin_constant(&mlp, Representation::Input, 1)?;
    assert!((10. ..10.01).contains(&constant), "{constant}");
    let last = margin_constant(&mlp, Representation::LastHidden, 0)?;
    assert!((5. ..5.001).contains(&last), "{last}");
    assert!(margin_constant(&mlp, Representation::Input, 2).is_err());
    assert!(margin_constant(&mlp, Representation::Logits, 0).is_err());
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
        LipschitzMlp::new(&[2, 16, 2], Activation::Relu, vb)
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
    assert_eq!(format!("{frozen:?}"), "LipschitzMlp([2, 16, 2], Relu)");
    Ok(())
}
