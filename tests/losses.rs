//! Cross-entropy and the isometric loss.

mod common;

use std::sync::Arc;

use common::{CPU, assert_close, build, data, message, values, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::Manhattan;
use isopath::losses::{
    CrossEntropy, IsometricLoss, Loss, Partition, cross_entropies, cross_entropy,
};
use isopath::models::{Mlp, Model, Network, Representation};
use isopath::ops;

/// Labels of the six points below.
fn labels() -> Tensor {
    Tensor::new(&[0u32, 1, 0, 2, 1, 0], CPU).unwrap()
}

/// The network of the PyTorch snippet below: its k-th weight is sin(k), sin(k + 1), …
fn network() -> Result<Model<Mlp>> {
    let mlp = build(&[3, 4, 5, 3], 0, DType::F64)?;
    let named = mlp.parameters().named();
    for layer in 0..3 {
        for (part, name) in ["weight", "bias"].iter().enumerate() {
            let var = &named[&format!("layers.{layer}.{name}")];
            var.set(&wave(var.dims(), (2 * layer + part) as f64)?)?;
        }
    }
    Ok(mlp)
}

/// ```python
/// import torch, torch.nn.functional as F                          # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     n = torch.Size(shape).numel()
///     return torch.sin(torch.arange(n) + start).reshape(shape)
/// a = (3 * wave(3, 4, start=1)).requires_grad_()
/// loss = F.cross_entropy(a, torch.tensor([2, 0, 3]))
/// loss.backward()
/// print(loss.item(), a.grad.tolist())
/// ```
#[test]
fn cross_entropy_is_that_of_pytorch() -> Result<()> {
    let logits = Var::from_tensor(&(wave(&[3, 4], 1.)? * 3.)?)?;
    let loss = cross_entropy(&logits, &Tensor::new(&[2u32, 0, 3], CPU)?)?;
    assert_close(&values(&loss), &[4.0342974156997755], 1e-14);
    let expected = [
        [
            0.1414671356718975,
            0.1733905837823271,
            -0.31602800408457177,
            0.0011702846303471087,
        ],
        [
            -0.3326411676207131,
            0.005315337165967224,
            0.08821726897521279,
            0.2391085614795331,
        ],
        [
            0.2951625771062615,
            0.016761884431433796,
            0.004268234339065351,
            -0.31619269587676063,
        ],
    ];
    assert_close(
        &values(loss.backward()?.get(&logits).unwrap()),
        expected.as_flattened(),
        1e-15,
    );
    Ok(())
}

/// ```python
/// a.grad = None                                                   # a as above
/// each = F.cross_entropy(a, torch.tensor([2, 0, 3]), reduction="none")
/// (each * torch.tensor([1., 2., -3.])).sum().backward()
/// print(each.tolist(), a.grad.tolist())
/// ```
#[test]
fn cross_entropies_are_those_of_pytorch() -> Result<()> {
    let logits = Var::from_tensor(&(wave(&[3, 4], 1.)? * 3.)?)?;
    let each = cross_entropies(&logits, &Tensor::new(&[2u32, 0, 3], CPU)?)?;
    assert_close(
        &values(&each),
        &[2.958128487186302, 6.177072873242325, 2.9676908866706997],
        1e-14,
    );
    let gradients = (each * Tensor::new(&[1., 2., -3.], CPU)?)?
        .sum_all()?
        .backward()?;
    let expected = [
        [
            0.42440140701569257,
            0.5201717513469813,
            -0.9480840122537153,
            0.003510853891041326,
        ],
        [
            -1.9958470057242788,
            0.03189202299580335,
            0.5293036138512768,
            1.4346513688771987,
        ],
        [
            -2.656463193956353,
            -0.15085695988290418,
            -0.038414109051588166,
            2.8457342628908457,
        ],
    ];
    assert_close(
        &values(gradients.get(&logits).unwrap()),
        expected.as_flattened(),
        1e-14,
    );
    Ok(())
}

/// Central differences of step h are off by h²/6 of a third derivative of size one, and by 1e-16/h:
/// 1e-9 covers both.
#[test]
fn gradients_of_cross_entropy_are_difference_quotients() -> Result<()> {
    let (h, tolerance) = (1e-5, 1e-9);
    let (at, labels) = (
        (wave(&[5, 3], 2.)? * 2.)?,
        Tensor::new(&[2u32, 0, 1, 1, 2], CPU)?,
    );
    for smoothing in [0., 0.3] {
        let logits = Var::from_tensor(&at)?;
        let gradients = ops::cross_entropy(&logits, &labels, smoothing)?.backward()?;
        let quotients = (0..at.elem_count()).map(|index| {
            let beside = |step: f64| -> Result<f64> {
                let mut numbers = values(&at);
                numbers[index] += step;
                Ok(ops::cross_entropy(
                    &Tensor::from_vec(numbers, at.shape(), CPU)?,
                    &labels,
                    smoothing,
                )?
                .to_scalar()?)
            };
            Ok((beside(h)? - beside(-h)?) / (2. * h))
        });
        let quotients = quotients.collect::<Result<Vec<_>>>()?;
        assert_close(
            &values(gradients.get(&logits).unwrap()),
            &quotients,
            tolerance,
        );
        // Each row sums to 0: a softmax does not see a shift.
        for row in values(gradients.get(&logits).unwrap()).chunks(3) {
            assert!(row.iter().sum::<f64>().abs() < 1e-16 * 10.);
        }
    }
    Ok(())
}

/// As in PyTorch: NaN and +∞ give NaN, −∞ a probability of 0.
#[test]
fn logits_that_are_not_finite_are_seen() -> Result<()> {
    for classes in [2usize, 20] {
        let with = |first: f32, label: u32| -> Result<f32> {
            let mut row = vec![0f32; classes];
            row[0] = first;
            Ok(cross_entropy(
                &Tensor::from_vec(row, (1, classes), CPU)?,
                &Tensor::new(&[label], CPU)?,
            )?
            .to_scalar()?)
        };
        assert!(with(f32::NAN, 1)?.is_nan() && with(f32::INFINITY, 1)?.is_nan());
        assert_eq!(with(f32::NEG_INFINITY, 0)?, f32::INFINITY);
        assert!((with(f32::NEG_INFINITY, 1)? - ((classes - 1) as f32).ln()).abs() < 1e-6);
    }
    Ok(())
}

#[test]
fn cross_entropy_of_huge_and_equal_logits() -> Result<()> {
    let logits = Var::from_tensor(&Tensor::new(&[[1e4f32, -1e4, 0.], [5., 5., 5.]], CPU)?)?;
    let loss = |label: u32| cross_entropy(&logits, &Tensor::new(&[label, 1], CPU)?);
    assert_close(&values(&loss(0)?), &[3f64.ln() / 2.], 1e-7);
    assert_close(&values(&loss(1)?), &[1e4 + 3f64.ln() / 2.], 1e-3);
    let gradients = loss(1)?.backward()?;
    assert_close(
        &values(gradients.get(&logits).unwrap()),
        &[0.5, -0.5, 0., 1. / 6., -1. / 3., 1. / 6.],
        1e-7,
    );
    Ok(())
}

/// ```python
/// # wave as above; iso as in tests/isometric.rs
/// net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 5), torch.nn.Tanh(),
///                           torch.nn.Linear(5, 3))
/// with torch.no_grad():
///     for start, p in enumerate(net.parameters()):
///         p.copy_(wave(*p.shape, start=start))
/// t = torch.tensor([0, 1, 0, 2, 1, 0])
/// def lil(stage, cells, alpha, beta):
///     x = wave(6, 3, start=0).requires_grad_()
///     loss = alpha * F.cross_entropy(net(x), t) + beta * iso(x, net[:stage](x), cells)
///     net.zero_grad()
///     loss.backward()
///     return loss.item(), x.grad[0].tolist(), net[0].weight.grad[0].tolist()
/// print(lil(4, t.tolist(), 1, 0.1), lil(4, [0] * 6, 0.5, 2), lil(5, t.tolist(), 1, 10), lil(2, [0] * 6, 1, 1))
/// ```
#[test]
fn isometric_loss_is_that_of_pytorch() -> Result<()> {
    use Representation::{LastHidden, Logits, Stage};
    let mlp = network()?;
    let x = Var::from_tensor(&wave(&[6, 3], 0.)?)?;
    let weight = &mlp.parameters().named()["layers.0.weight"];
    let cases = [
        (
            LastHidden,
            Partition::Local,
            1.,
            0.1,
            1.3921051845505321,
            [
                [
                    0.0005488768009384907,
                    0.011090560093449772,
                    0.011435633582781672,
                ],
                [
                    0.028584926610514365,
                    0.002900934470710855,
                    -0.02545016344311948,
                ],
            ],
        ),
        (
            LastHidden,
            Partition::Global,
            0.5,
            2.,
            1.3075742014046923,
            [
                [
                    0.07875963872997586,
                    0.39058253399116544,
                    0.34330564876451963,
                ],
                [0.6764588925927002, -0.7318151062679586, -1.4672616713641318],
            ],
        ),
        (
            Logits,
            Partition::Local,
            1.,
            10.,
            6.193442966054888,
            [
                [-0.24583307781427674, 1.1874534869549116, 1.52900079204008],
                [0.8871179678528637, -0.6889019390326058, -1.6315485802055625],
            ],
        ),
        (
            Stage(1),
            Partition::Global,
            1.,
            1.,
            1.6905776824250904,
            [
                [
                    0.10965965330130865,
                    -0.04775062937333296,
                    -0.1612592036154421,
                ],
                [-0.12830576694380702, 0.1454132518785656, 0.2854399975313542],
            ],
        ),
    ];
    for (representation, partition, alpha, beta, expected, [of_x, of_weight]) in cases {
        let isometric = IsometricLoss {
            alpha,
            beta,
            partition,
            representation,
            ..IsometricLoss::default()
        };
        let loss = isometric.loss(&mlp, &data(&x, &labels()))?;
        assert_close(&values(&loss), &[expected], 1e-13);
        let gradients = loss.backward()?;
        assert_close(&values(gradients.get(&x).unwrap())[..3], &of_x, 1e-13);
        assert_close(
            &values(gradients.get(weight).unwrap())[..3],
            &of_weight,
            1e-13,
        );
    }
    Ok(())
}

#[test]
fn terms_add_up() -> Result<()> {
    let mlp = network()?;
    let x = wave(&[6, 3], 0.)?;
    let six = data(&x, &labels());
    let number = |t: &Tensor| t.to_scalar::<f64>();
    let cross_entropy = number(&CrossEntropy.loss(&mlp, &six)?)?;
    for beta in [0., 0.7] {
        let isometric_loss = IsometricLoss {
            alpha: 2.,
            beta,
            ..IsometricLoss::default()
        };
        let terms = isometric_loss.terms(&mlp, &six)?;
        let isometric = number(&terms.isometric.unwrap())?;
        assert!(isometric > 0.1);
        assert_close(
            &[number(&terms.cross_entropy.unwrap())?],
            &[cross_entropy],
            1e-15,
        );
        assert_close(
            &[number(&terms.loss)?],
            &[2. * cross_entropy + beta * isometric],
            1e-15,
        );
        assert_close(
            &[number(&isometric_loss.loss(&mlp, &six)?)?],
            &[number(&terms.loss)?],
            0.,
        );
        assert_eq!(values(&terms.logits.unwrap()), values(&mlp.forward(&x)?));
    }
    // No partition, no term; pictures count as their flattened rows; the distance matters.
    let none = IsometricLoss {
        partition: Partition::None,
        beta: 3.,
        ..IsometricLoss::default()
    };
    assert_close(&values(&none.loss(&mlp, &six)?), &[cross_entropy], 1e-15);
    let flat = number(&IsometricLoss::default().loss(&mlp, &six)?)?;
    assert_eq!(
        number(&IsometricLoss::default().loss(&mlp, &six.reshaped(&[1, 3])?)?)?,
        flat
    );
    let manhattan = IsometricLoss {
        distance: Arc::new(Manhattan),
        ..IsometricLoss::default()
    };
    assert_ne!(number(&manhattan.loss(&mlp, &six)?)?, flat);
    // What a checkpoint compares.
    assert_ne!(manhattan.describe(), IsometricLoss::default().describe());
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    let mlp = network()?;
    let six = data(&wave(&[6, 3], 0.)?, &labels());
    let text = |isometric_loss: &IsometricLoss| message(isometric_loss.loss(&mlp, &six));
    for beta in [-0.1, f64::NAN, f64::INFINITY] {
        let isometric_loss = IsometricLoss {
            beta,
            ..IsometricLoss::default()
        };
        assert_eq!(
            text(&isometric_loss),
            format!("beta is {beta}; expected a finite number ≥ 0")
        );
        assert_eq!(message(isometric_loss.validate()), text(&isometric_loss));
    }
    assert_eq!(
        text(&IsometricLoss {
            alpha: -1.,
            ..IsometricLoss::default()
        }),
        "alpha is -1; expected a finite number ≥ 0"
    );
    let isometric_loss = IsometricLoss {
        representation: Representation::Stage(4),
        ..IsometricLoss::default()
    };
    assert_eq!(
        text(&isometric_loss),
        "representation is Stage(4); expected a representation of a network of 3 stages"
    );
    assert!(Representation::LastHidden.index(0).is_err());
    // The inputs themselves are the last hidden representation of a network of one stage.
    assert_eq!(Representation::LastHidden.index(1)?, 0);

    let isometric_loss = IsometricLoss::default();
    for loss in [&isometric_loss as &dyn Loss, &CrossEntropy] {
        let with = |labels: &Tensor| message(loss.loss(&mlp, &data(&six.inputs, labels)));
        assert_eq!(
            with(&Tensor::new(&[0u32, 1, 0, 3, 1, 0], CPU)?),
            "label is 3; expected below 3, the number of classes"
        );
        let text = with(&Tensor::new(&[0u32, 1], CPU)?);
        assert!(
            text.ends_with("loss: labels has shape [2]; expected (6,), one for each input"),
            "{text}"
        );
        assert_eq!(
            with(&Tensor::new(&[0i64; 6], CPU)?),
            "dtype of labels is I64; expected U32"
        );
        let none = Tensor::zeros((0, 3), DType::F64, CPU)?;
        let text = message(loss.loss(&mlp, &data(&none, &Tensor::zeros(0, DType::U32, CPU)?)));
        assert!(text.contains("[0, 3]"), "{text}");
    }
    Ok(())
}
