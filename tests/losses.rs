//! Cross-entropy and the isometric loss.

mod common;

use std::sync::Arc;

use common::{CPU, assert_close, build, data, message, values, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::Manhattan;
use isopath::losses::{
    CrossEntropy, IsometricLoss, LogitDifference, Loss, Partition, RescaledLogitDifference,
    cross_entropies, cross_entropy,
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

/// Answers with its input.
#[derive(Clone)]
struct Same;

impl Network for Same {
    fn stages(&self) -> usize {
        1
    }

    fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }
}

/// A loss of the logits `z` themselves, and its gradient in them.
fn of_logits(loss: &dyn Loss, z: &Tensor, labels: &[u32]) -> Result<(f64, Vec<f64>)> {
    let z = Var::from_tensor(z)?;
    let value = loss.loss(&Same, &data(&z, &Tensor::new(labels, CPU)?))?;
    let gradient = values(value.backward()?.get(&z).unwrap());
    Ok((values(&value)[0], gradient))
}

/// The second loss is auto-attack's (`autoattack/autopgd_base.py`, `dlr_loss`).
///
/// ```python
/// import torch, torch.nn.functional as F                          # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start): return torch.sin(torch.arange(torch.Size(shape).numel()) + start).reshape(shape)
/// def difference(x, y):
///     truth = F.one_hot(y, x.shape[1]).bool()
///     return x.masked_fill(truth, -torch.inf).amax(1) - x[truth]
/// def dlr_loss(x, y):
///     x_sorted, ind_sorted = x.sort(dim=1)
///     ind = (ind_sorted[:, -1] == y).float()
///     return -(x[torch.arange(x.shape[0]), y] - x_sorted[:, -2] * ind - x_sorted[:, -1] * (1. - ind)) / (
///         x_sorted[:, -1] - x_sorted[:, -3] + 1e-12)
/// for loss in (difference, dlr_loss):
///     x = (3 * wave(4, 5, start=1)).requires_grad_()
///     mean = loss(x, torch.tensor([2, 0, 3, 4])).mean()
///     mean.backward()
///     print(mean.item(), x.grad.tolist())
/// ```
#[test]
fn logit_differences_are_those_of_pytorch_and_auto_attack() -> Result<()> {
    let z = (wave(&[4, 5], 1.)? * 3.)?;
    let of_difference = [
        [0., 0.25, -0.25, 0., 0.],
        [-0.25, 0., 0.25, 0., 0.],
        [0., 0., 0., -0.25, 0.25],
        [0., 0., 0., 0.25, -0.25],
    ];
    let of_ratio = [
        [0., 4.708733403191445e-14, -4.708733403191445e-14, 0., 0.],
        [
            -0.14436519953827612,
            0.,
            -0.1729496964447765,
            0.3173148959830526,
            0.,
        ],
        [
            0.,
            0.,
            -0.08715356977206705,
            -0.0589324107887398,
            0.14608598056080685,
        ],
        [
            -0.044096643147981916,
            0.,
            0.,
            0.06939537223602243,
            -0.02529872908804052,
        ],
    ];
    let losses: [(&dyn Loss, f64, _); 2] = [
        (&LogitDifference, 0.70017270523927, of_difference),
        (&RescaledLogitDifference, 0.49149242187326525, of_ratio),
    ];
    for (loss, value, gradient) in losses {
        let (found, of_found) = of_logits(loss, &z, &[2, 0, 3, 4])?;
        assert_close(&[found], &[value], 1e-14);
        assert_close(&of_found, gradient.as_flattened(), 1e-14);
    }
    Ok(())
}

/// No two of these logits are nearer than 0.1, so that a step of 1e-5 changes no order; the error is
/// h² times a third derivative of size one, and 1e-16/h.
#[test]
fn gradients_of_logit_differences_are_difference_quotients() -> Result<()> {
    let (h, z, labels) = (1e-5, (wave(&[3, 4], 2.)? * 2.)?, [1, 3, 0]);
    for loss in [&LogitDifference as &dyn Loss, &RescaledLogitDifference] {
        let (_, gradient) = of_logits(loss, &z, &labels)?;
        for (index, gradient) in gradient.iter().enumerate() {
            let beside = |step: f64| -> Result<f64> {
                let mut numbers = values(&z);
                numbers[index] += step;
                let moved = Tensor::from_vec(numbers, z.shape(), CPU)?;
                Ok(of_logits(loss, &moved, &labels)?.0)
            };
            let quotient = (beside(h)? - beside(-h)?) / (2. * h);
            assert!(
                (gradient - quotient).abs() < 1e-8,
                "{index}: {gradient}, {quotient}"
            );
        }
    }
    Ok(())
}

#[test]
fn logit_differences_do_not_see_a_shift_and_the_rescaled_one_no_factor() -> Result<()> {
    let (z, labels) = ((wave(&[5, 4], 1.)? * 3.)?, [0, 1, 2, 3, 0]);
    let value = |loss: &dyn Loss, z: &Tensor| -> Result<f64> { Ok(of_logits(loss, z, &labels)?.0) };
    let (difference, ratio) = (
        value(&LogitDifference, &z)?,
        value(&RescaledLogitDifference, &z)?,
    );
    let shifted = (&z + 7.5)?;
    assert_close(&[value(&LogitDifference, &shifted)?], &[difference], 1e-13);
    assert_close(
        &[value(&RescaledLogitDifference, &shifted)?],
        &[ratio],
        1e-11,
    );
    for factor in [1e-3, 40., 1e6] {
        let scaled = (&z * factor)?;
        // The floor of 1e-12 under the denominator is what is left.
        assert_close(&[value(&RescaledLogitDifference, &scaled)?], &[ratio], 1e-8);
        assert_close(
            &[value(&LogitDifference, &scaled)? / factor],
            &[difference],
            1e-12,
        );
    }
    // Their gradient does not vanish where that of the cross-entropy is 0.
    let sure = Tensor::new(&[[200f32, 0., -3.]], CPU)?;
    let largest = |loss: &dyn Loss| -> Result<f64> {
        let gradient = of_logits(loss, &sure, &[0])?.1;
        Ok(gradient.iter().fold(0., |largest, g| g.abs().max(largest)))
    };
    assert_eq!(largest(&CrossEntropy)?, 0.);
    assert_eq!(largest(&LogitDifference)?, 1.);
    assert!(largest(&RescaledLogitDifference)? > 1e-5);
    Ok(())
}

/// A mean over thousands, whose sum f16 cannot hold.
#[test]
fn logit_differences_of_thousands_are_right_in_half_precision() -> Result<()> {
    let row = Tensor::new(&[[3f32, 1., -2.]], CPU)?;
    let many = row.repeat((8_192, 1))?;
    let labels = vec![0u32; 8_192];
    for loss in [&LogitDifference as &dyn Loss, &RescaledLogitDifference] {
        let (expected, _) = of_logits(loss, &row, &[0])?;
        for dtype in [DType::F16, DType::BF16] {
            let (found, _) = of_logits(loss, &many.to_dtype(dtype)?, &labels)?;
            assert!((found - expected).abs() < 2e-3, "{dtype:?}: {found}");
        }
    }
    Ok(())
}

#[test]
fn bad_logits_for_differences_are_refused() -> Result<()> {
    let refused = |loss: &dyn Loss, shape: &[usize], labels: &[u32]| -> Result<String> {
        let z = wave(shape, 0.)?;
        Ok(message(
            loss.loss(&Same, &data(&z, &Tensor::new(labels, CPU)?)),
        ))
    };
    let one =
        "logit difference: logits has shape [2, 1]; expected (N, classes), at least 2 classes";
    for loss in [&LogitDifference as &dyn Loss, &RescaledLogitDifference] {
        assert_eq!(refused(loss, &[2, 1], &[0, 0])?, one);
        assert_eq!(
            refused(loss, &[2, 3], &[0, 3])?,
            "label is 3; expected below 3, the number of classes"
        );
        assert_eq!(
            refused(loss, &[2, 3], &[0])?,
            "logit difference: labels has shape [1]; expected (2,), one for each input"
        );
    }
    assert_eq!(
        refused(&RescaledLogitDifference, &[2, 2], &[0, 1])?,
        "logit difference: logits has shape [2, 2]; expected (N, classes), at least 3 classes"
    );
    Ok(())
}
