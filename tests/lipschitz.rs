//! Lipschitz constants, and the gradients that they bound.

mod common;

use std::sync::Arc;

use common::{CPU, assert_close, build, data, message, values, wave, with_threads};
use isopath::Result;
use isopath::attacks::gradient;
use isopath::candle::{DType, Device, Tensor};
use isopath::datasets::Dataset;
use isopath::distances::Manhattan;
use isopath::lipschitz::{
    Pairs, cross_entropy_gradient, isometric_gradient, jacobian, jacobian_norms, layer_norms,
    ratio, spectral_norm,
};
use isopath::losses::{IsometricLoss, Partition};
use isopath::models::{Activation, Mlp, Model, Network as _, Representation};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{AdamParams, TrainParams, train};

const HIDDEN: Representation = Representation::LastHidden;

/// A network of `sizes` whose k-th weight is sin(k + 1), sin(k + 2), …
fn waves(sizes: &[usize]) -> Result<Mlp> {
    let mlp = build(sizes, 0, DType::F64)?;
    let named = mlp.parameters().named();
    for layer in 0..sizes.len() - 1 {
        for (part, name) in ["weight", "bias"].iter().enumerate() {
            let var = &named[&format!("layers.{layer}.{name}")];
            var.set(&wave(var.dims(), (2 * layer + part + 1) as f64)?)?;
        }
    }
    mlp.freeze()
}

/// x → a·Q·x, Q the rotation by `angle` in the plane of the first two of three axes.
fn rotation(angle: f64, a: f64) -> Result<Mlp> {
    let mlp = build(&[3, 3], 0, DType::F64)?;
    let (sin, cos) = angle.sin_cos();
    let q = Tensor::new(&[[cos, -sin, 0.], [sin, cos, 0.], [0., 0., 1.]], CPU)?;
    let named = mlp.parameters().named();
    named["layers.0.weight"].set(&(q * a)?)?;
    named["layers.0.bias"].set(&Tensor::zeros(3, DType::F64, CPU)?)?;
    mlp.freeze()
}

/// Two classes of points on two linked rings (N, 3), N even.
fn rings(n: usize, dtype: DType) -> Result<Dataset> {
    let point = |i: usize| {
        let t = std::f64::consts::TAU * (i / 2) as f64 / (n / 2) as f64;
        if i.is_multiple_of(2) {
            [t.cos(), t.sin(), 0.]
        } else {
            [1. + t.cos(), 0., t.sin()]
        }
    };
    let flat: Vec<f64> = (0..n).flat_map(point).collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
    Dataset::new(
        Tensor::from_vec(flat, (n, 3), CPU)?.to_dtype(dtype)?,
        Tensor::from_vec(labels, n, CPU)?,
    )
}

/// Networks as they are drawn, of both activations, and networks trained with and without isometry.
fn networks() -> Result<Vec<(String, Mlp)>> {
    let rings = rings(80, DType::F64)?;
    let mut networks = Vec::new();
    for seed in 0..3 {
        for activation in [Activation::Tanh, Activation::Relu] {
            let mlp = Model::on(seed, DType::F64, CPU, move |vb| {
                Mlp::new(&[3, 20, 20, 20, 2], activation, vb)
            })?;
            // Wide weights, for representations that stretch.
            for var in mlp.parameters().vars() {
                var.set(&(var.as_tensor() * (1. + 2. * seed as f64))?)?;
            }
            networks.push((format!("{activation:?} of seed {seed}"), mlp.freeze()?));
        }
    }
    for beta in [0., 0.1, 10.] {
        let mlp = build(&[3, 20, 20, 20, 2], 5, DType::F64)?;
        let adam = AdamParams {
            learning_rate: 0.01,
            ..AdamParams::default()
        };
        let params = TrainParams {
            epochs: 150,
            batch_size: 80,
            optimizer: adam.into(),
            progress: Progress::Hidden,
            ..TrainParams::default()
        };
        let loss = IsometricLoss {
            beta,
            ..IsometricLoss::default()
        };
        train(&mlp, &rings, &loss, &params)?;
        networks.push((format!("trained with β = {beta}"), mlp.freeze()?));
    }
    Ok(networks)
}

/// numpy 2.4.6, each matrix A of shape s: `np.linalg.svd(A, compute_uv=False)[0]`, A =
/// `np.sin(np.arange(np.prod(s)) + start).reshape(s)` and, the last two,
/// `np.sin(np.arange(np.prod(s))**2 + start)`.
#[test]
fn spectral_norms_are_numpys() -> Result<()> {
    for (shape, start, expected) in [
        ([5, 7], 0., 3.0400297706225965),
        ([7, 5], 3., 3.215113191682208),
        ([1, 4], 0., 1.2469202401838677),
        ([4, 1], 1., 1.4586158172337569),
        ([40, 30], 2., 17.63702831393798),
    ] {
        assert_close(
            &[spectral_norm(&wave(&shape, start)?)?],
            &[expected],
            1e-9 * expected,
        );
    }
    let squares = |rows: usize, columns: usize, start: f64| -> Result<Tensor> {
        let values: Vec<f64> = (0..rows * columns)
            .map(|k| ((k * k) as f64 + start).sin())
            .collect();
        Ok(Tensor::from_vec(values, (rows, columns), CPU)?)
    };
    // The largest two singular values differ by two in a hundred only.
    assert_close(
        &[spectral_norm(&squares(30, 40, 1.)?)?],
        &[7.054854802891614],
        1e-8,
    );
    assert_close(
        &[spectral_norm(&squares(64, 64, 2.)?)?],
        &[8.680827530219585],
        1e-8,
    );
    assert_eq!(spectral_norm(&Tensor::zeros((3, 4), DType::F32, CPU)?)?, 0.);
    assert_close(
        &[spectral_norm(&Tensor::eye(6, DType::F32, CPU)?)?],
        &[1.],
        1e-12,
    );
    Ok(())
}

/// ```python
/// import torch                                                    # 2.15.0, float64
/// def wave(shape, start): return torch.tensor(np.sin(np.arange(np.prod(shape)) + start).reshape(shape))
/// w = [(wave((4, 3), 1), wave((4,), 2)), (wave((4, 4), 3), wave((4,), 4))]
/// def phi(x):
///     for W, b in w: x = torch.tanh(x @ W.T + b)
///     return x
/// J = [torch.autograd.functional.jacobian(phi, row) for row in wave((3, 3), 0.5)]
/// print(J[0], [torch.linalg.matrix_norm(j, 2) for j in J])
/// ```
#[test]
fn jacobians_are_pytorchs() -> Result<()> {
    let (network, x) = (waves(&[3, 4, 4, 2])?, wave(&[3, 3], 0.5)?);
    let found = jacobian(&network, HIDDEN, &x)?;
    assert_eq!(found.dims(), [3, 4, 3]);
    let first = [
        [
            -0.19187850295823602,
            -0.31914465132344577,
            -0.15299067907284647,
        ],
        [
            0.003333172316148254,
            0.03632345207357748,
            0.035918117508741285,
        ],
        [
            0.0378171327917783,
            0.054476343933056684,
            0.02105025569281443,
        ],
        [
            -0.03731492282934767,
            -0.05866436571496781,
            -0.026078061306830238,
        ],
    ];
    assert_close(&values(&found.get(0)?), first.as_flattened(), 1e-14);
    let norms = [0.4175073186711063, 1.944117220055784, 0.46498231035989596];
    assert_close(&jacobian_norms(&network, HIDDEN, &x)?, &norms, 1e-9);
    Ok(())
}

#[test]
fn jacobians_are_difference_quotients() -> Result<()> {
    let (network, x) = (waves(&[3, 6, 5, 2])?, wave(&[4, 3], 0.2)?);
    for (representation, last) in [
        (Representation::Logits, 3),
        (HIDDEN, 2),
        (Representation::Stage(1), 1),
    ] {
        let found = jacobian(&network, representation, &x)?;
        for axis in 0..3 {
            // The error of the quotient is about step² and rounding over step.
            let step = 1e-5;
            let mut shift = vec![0.; 12];
            shift
                .iter_mut()
                .skip(axis)
                .step_by(3)
                .for_each(|s| *s = step);
            let shift = Tensor::from_vec(shift, (4, 3), CPU)?;
            let at = |x: Tensor| -> Result<Tensor> {
                Ok(network.representations(&x)?.swap_remove(last))
            };
            let quotient = ((at((&x + &shift)?)? - at((&x - &shift)?)?)? / (2. * step))?;
            assert_close(
                &values(&found.narrow(2, axis, 1)?.squeeze(2)?),
                &values(&quotient),
                1e-8,
            );
        }
    }
    Ok(())
}

/// numpy 2.4.6, `wave` as above:
/// `x, phi = wave((6, 3), 0), np.tanh(wave((6, 3), 0) @ wave((4, 3), 1).T)`, the ratios
/// `np.linalg.norm(phi[i] - phi[j]) / np.linalg.norm(x[i] - x[j])` of all pairs, their maximum,
/// minimum and mean.
#[test]
fn ratios_are_numpys() -> Result<()> {
    let x = wave(&[6, 3], 0.)?;
    let phi = x.matmul(&wave(&[4, 3], 1.)?.t()?)?.tanh()?;
    let data = data(&x, &Tensor::new(&[0u32, 0, 0, 1, 1, 1], CPU)?);
    for (pairs, largest, pair, smallest, mean, count) in [
        (
            Pairs::All,
            2.0832930886989725,
            (3, 5),
            0.5258213284105128,
            1.1748160678623916,
            15,
        ),
        (
            Pairs::Within,
            2.0832930886989725,
            (3, 5),
            0.5258213284105128,
            1.1278944228153711,
            6,
        ),
        (
            Pairs::Between,
            1.7526119789915549,
            (2, 4),
            0.7180813263789719,
            1.2060971645604053,
            9,
        ),
    ] {
        let found = ratio(&data, &phi, pairs)?;
        assert_close(
            &[found.largest, found.smallest, found.mean],
            &[largest, smallest, mean],
            1e-12,
        );
        assert_eq!(
            (found.pair, found.pairs, found.duplicates),
            (pair, count, 0)
        );
    }
    Ok(())
}

#[test]
fn duplicates_are_left_out_and_counted() -> Result<()> {
    let x = Tensor::new(&[[0f32, 0.], [3., 4.], [0., 0.], [0., 0.]], CPU)?;
    let labels = Tensor::new(&[0u32, 1, 0, 0], CPU)?;
    let found = ratio(&data(&x, &labels), &(&x * 2.)?, Pairs::All)?;
    assert_eq!((found.largest, found.smallest, found.mean), (2., 2., 2.));
    assert_eq!((found.pair, found.pairs, found.duplicates), ((0, 1), 3, 3));
    // A map gives equal points one image.
    let torn = Tensor::new(&[[0f32], [1.], [2.], [0.]], CPU)?;
    let error = message(ratio(&data(&x, &labels), &torn, Pairs::All));
    assert_eq!(
        error,
        "phi is 2 apart; expected equal for the equal points 0 and 2"
    );
    let within = message(ratio(&data(&x, &labels), &x, Pairs::Within));
    assert_eq!(
        within,
        "pairs is none; expected at least one of different points in one class"
    );
    Ok(())
}

#[test]
fn an_isometry_has_the_constant_one() -> Result<()> {
    let rings = rings(40, DType::F64)?;
    let x = &rings.inputs;
    let logits = Representation::Logits;
    for (a, angle) in [(1., 0.7), (2.5, -1.9)] {
        let network = rotation(angle, a)?;
        let phi = network.forward(x)?;
        let found = ratio(&rings, &phi, Pairs::All)?;
        assert_close(&[found.largest, found.smallest, found.mean], &[a; 3], 1e-12);
        assert_close(&jacobian_norms(&network, logits, x)?, &[a; 40], 1e-12);
        assert_close(&layer_norms(&network, logits)?, &[a], 1e-12);
        // Every distance d of a class is |1 − a|·d wrong, and K is a. Distances that are kept leave
        // nothing to descend.
        let loss = IsometricLoss {
            beta: 10.,
            representation: logits,
            ..IsometricLoss::default()
        };
        let found = isometric_gradient(&network, &loss, &rings)?;
        let (rows, names) = (x.to_vec2::<f64>()?, rings.labels.to_vec1::<u32>()?);
        let wrong = |i: usize| -> f64 {
            let same = (0..40).filter(|j| names[*j] == names[i]);
            let square = |j: usize| {
                rows[i]
                    .iter()
                    .zip(&rows[j])
                    .map(|(a, b)| (a - b) * (a - b))
                    .sum::<f64>()
            };
            same.map(|j| (1. - a).abs() * square(j).sqrt()).sum()
        };
        let wrong: Vec<f64> = (0..40).map(wrong).collect();
        let factor = 4. * 10. / (40. * 40.);
        let bounds: Vec<f64> = found.point_bounds.iter().map(|sides| sides.bound).collect();
        assert_close(
            &bounds,
            &wrong
                .iter()
                .map(|wrong| factor * wrong * (1. + a))
                .collect::<Vec<_>>(),
            1e-12,
        );
        assert_close(
            &[found.together_bound.bound],
            &[factor * wrong.iter().sum::<f64>() * a],
            1e-11,
        );
        if a == 1. {
            assert!(
                found
                    .point_bounds
                    .iter()
                    .all(|sides| sides.gradient < 1e-12 && sides.bound < 1e-12)
            );
        }
        // A rotation turns the gradient and stretches it by a, so the bound is reached.
        for sides in cross_entropy_gradient(&network, logits, &rings)?.bounds {
            assert!(
                sides.gradient > 1e-3 && (sides.gradient - sides.bound).abs() < 1e-12,
                "{sides:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_closed_form_is_the_gradient() -> Result<()> {
    let rings = rings(24, DType::F64)?;
    for (name, network) in networks()? {
        for partition in [Partition::Local, Partition::Global, Partition::None] {
            for representation in [HIDDEN, Representation::Logits, Representation::Stage(1)] {
                let loss = IsometricLoss {
                    alpha: 0.,
                    beta: 3.,
                    partition,
                    representation,
                    ..IsometricLoss::default()
                };
                let found = isometric_gradient(&network, &loss, &rings)?;
                let automatic = gradient(&network, &loss, &rings)?;
                let largest = values(&automatic)
                    .iter()
                    .fold(1e-3, |a: f64, b| a.max(b.abs()));
                let points: Vec<f64> = found.points.iter().copied().collect();
                // Rounding in f64, and some thousand terms.
                assert_close(&points, &values(&automatic), 1e-11 * largest);
                let together = values(&automatic.sum(0)?);
                assert_close(&found.together.to_vec(), &together, 1e-10 * largest);
                assert!(partition != Partition::None || largest == 1e-3, "{name}");
            }
        }
    }
    Ok(())
}

#[test]
fn equal_points_and_representations_have_no_direction() -> Result<()> {
    let x = Tensor::new(&[[0.5, 0.2, 0.1], [0.5, 0.2, 0.1], [0.3, 0.4, -0.2]], CPU)?;
    let three = Dataset::new(x, Tensor::new(&[0u32, 0, 0], CPU)?)?;
    // Saturated: every point has the same representation, and no derivative.
    let mlp = build(&[3, 4, 2], 0, DType::F64)?;
    mlp.parameters().named()["layers.0.bias"].set(&Tensor::full(1e3, 4, CPU)?)?;
    for network in [waves(&[3, 4, 2])?, mlp.freeze()?] {
        let loss = IsometricLoss {
            alpha: 0.,
            beta: 1.,
            ..IsometricLoss::default()
        };
        let found = isometric_gradient(&network, &loss, &three)?;
        let points: Vec<f64> = found.points.iter().copied().collect();
        assert_close(&points, &values(&gradient(&network, &loss, &three)?), 1e-13);
    }
    Ok(())
}

#[test]
fn the_inequalities_hold() -> Result<()> {
    let rings = rings(60, DType::F64)?;
    let x = &rings.inputs;
    // Rounding.
    let at_most = |a: f64, b: f64| a <= b * (1. + 1e-9) + 1e-15;
    for (name, network) in networks()? {
        for representation in [HIDDEN, Representation::Logits] {
            let product: f64 = layer_norms(&network, representation)?.iter().product();
            let norms = jacobian_norms(&network, representation, x)?;
            assert!(
                norms.iter().all(|norm| at_most(*norm, product)),
                "{name}: {norms:?} {product}"
            );
            let phi = representation.of(&network, x)?;
            for pairs in [Pairs::All, Pairs::Within, Pairs::Between] {
                let largest = ratio(&rings, &phi, pairs)?.largest;
                assert!(at_most(largest, product), "{name}");
            }
            for partition in [Partition::Local, Partition::Global] {
                let loss = IsometricLoss {
                    beta: 3.,
                    partition,
                    representation,
                    ..IsometricLoss::default()
                };
                let found = isometric_gradient(&network, &loss, &rings)?;
                assert_close(&found.jacobian_norms, &norms, 1e-9 * product);
                for sides in found.point_bounds.iter().chain([&found.together_bound]) {
                    assert!(at_most(sides.gradient, sides.bound), "{name}: {sides:?}");
                }
            }
            for sides in cross_entropy_gradient(&network, representation, &rings)?.bounds {
                assert!(at_most(sides.gradient, sides.bound), "{name}: {sides:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn near_points_show_the_jacobian() -> Result<()> {
    // Along the direction of most stretch, the ratio of a short step is the norm.
    let (network, x) = (waves(&[3, 6, 6, 2])?, wave(&[1, 3], 0.3)?);
    let norm = jacobian_norms(&network, HIDDEN, &x)?[0];
    let directions = Rng::new(1).normal((500, 3), 0., 1e-6, DType::F64, CPU)?;
    let near = Tensor::cat(&[&x, &x.broadcast_add(&directions)?], 0)?;
    let phi = HIDDEN.of(&network, &near)?;
    let labels = Tensor::zeros(501, DType::U32, CPU)?;
    let found = ratio(&data(&near, &labels), &phi, Pairs::All)?.largest;
    assert!(
        found < norm * (1. + 1e-4) && found > 0.98 * norm,
        "{found} {norm}"
    );
    Ok(())
}

#[test]
fn a_sure_answer_has_next_to_no_gradient() -> Result<()> {
    // L_CE of x → x at label 0: its gradient is softmax(x) − (1, 0, 0).
    let network = rotation(0., 1.)?;
    let x = Tensor::new(&[[0., 0., 0.], [40., 0., 0.]], CPU)?;
    let two = Dataset::new(x, Tensor::new(&[0u32, 0], CPU)?)?;
    let sides = cross_entropy_gradient(&network, Representation::Logits, &two)?.bounds;
    let expected = (4f64 / 9. + 2. / 9.).sqrt();
    assert_close(&[sides[0].gradient, sides[0].bound], &[expected; 2], 1e-12);
    assert!(
        sides[1].gradient < 1e-15 && sides[1].bound < 1e-15,
        "{:?}",
        sides[1]
    );
    Ok(())
}

#[test]
fn numbers_do_not_depend_on_the_threads() -> Result<()> {
    let network = waves(&[3, 6, 6, 2])?;
    let rings = rings(120, DType::F64)?;
    let all = |threads| {
        with_threads(threads, || -> Result<_> {
            let phi = Representation::Stage(2).of(&network, &rings.inputs)?;
            Ok((
                jacobian_norms(&network, HIDDEN, &rings.inputs)?,
                ratio(&rings, &phi, Pairs::Within)?,
            ))
        })
    };
    assert_eq!(all(1)?, all(2)?);
    assert_eq!(all(1)?, all(5)?);
    Ok(())
}

#[test]
fn images_and_single_precision_are_taken() -> Result<()> {
    let mlp = build(&[8, 5, 5, 2], 1, DType::F32)?;
    let images = wave(&[6, 2, 2, 2], 0.)?.to_dtype(DType::F32)?;
    let flat = images.flatten_from(1)?;
    assert_eq!(jacobian(&mlp, HIDDEN, &images)?.dims(), [6, 5, 8]);
    assert_eq!(
        jacobian_norms(&mlp, HIDDEN, &images)?,
        jacobian_norms(&mlp, HIDDEN, &flat)?
    );
    let labels = Tensor::new(&[0u32, 1, 0, 1, 0, 1], CPU)?;
    let images = Dataset::new(images, labels)?;
    assert_eq!(ratio(&images, &flat, Pairs::All)?.largest, 1.);
    let found = isometric_gradient(&mlp, &IsometricLoss::default(), &images)?;
    assert_eq!(found.points.dim(), (6, 8));
    let automatic = gradient(
        &mlp,
        &IsometricLoss {
            alpha: 0.,
            ..IsometricLoss::default()
        },
        &images,
    )?;
    let points: Vec<f64> = found.points.iter().copied().collect();
    // f32 in the network and in the loss.
    assert_close(&points, &values(&automatic), 1e-6);
    assert_eq!(
        cross_entropy_gradient(&mlp, HIDDEN, &images)?.bounds.len(),
        6
    );
    Ok(())
}

#[test]
fn bad_input_is_refused() -> Result<()> {
    let network = waves(&[3, 4, 2])?;
    let rings = rings(6, DType::F64)?;
    let (x, labels) = (&rings.inputs, &rings.labels);
    let none = Tensor::zeros((0, 3), DType::F64, CPU)?;
    let one = x.narrow(0, 0, 1)?;
    let nan = (x * f64::NAN)?;
    let refused = |x: &Tensor| message(ratio(&data(x, labels), x, Pairs::All));
    assert_eq!(
        refused(&none),
        "lipschitz: inputs has shape [0, 3]; expected (N, …), N at least 2"
    );
    assert_eq!(
        refused(&one),
        "lipschitz: inputs has shape [1, 3]; expected (N, …), N at least 2"
    );
    assert_eq!(refused(&nan), "inputs is NaN; expected finite numbers");
    assert_eq!(
        message(ratio(&rings, &nan, Pairs::All)),
        "phi is NaN; expected finite numbers"
    );
    assert!(
        message(ratio(&rings, &one, Pairs::All)).contains("expected (6, …), a row for each input")
    );
    let with = |labels: &[u32], pairs| -> Result<String> {
        let labelled = data(x, &Tensor::new(labels, CPU)?);
        Ok(message(ratio(&labelled, x, pairs)))
    };
    assert_eq!(
        with(&[1; 6], Pairs::Between)?,
        "pairs is none; expected at least one of points in two classes"
    );
    assert_eq!(
        with(&[1; 5], Pairs::Between)?,
        "ratio: labels has shape [5]; expected (6,), one for each input"
    );
    let all_differ = with(&[0, 1, 2, 3, 4, 5], Pairs::Within)?;
    assert_eq!(
        all_differ,
        "pairs is none; expected at least one of different points in one class"
    );

    for bad in [&none, &nan] {
        assert!(
            jacobian(&network, HIDDEN, bad).is_err()
                && jacobian_norms(&network, HIDDEN, bad).is_err()
        );
        assert!(cross_entropy_gradient(&network, HIDDEN, &data(bad, labels)).is_err());
    }
    assert!(jacobian(&network, HIDDEN, &wave(&[2, 5], 0.)?).is_err());
    assert!(message(jacobian(&network, Representation::Stage(7), x)).contains("Stage(7)"));
    assert!(message(layer_norms(&network, Representation::Stage(7))).contains("Stage(7)"));
    // The last hidden representation of one layer is the input, up to which no layer stretches.
    assert!(layer_norms(&rotation(0., 1.)?, HIDDEN)?.is_empty());
    assert_eq!(
        message(spectral_norm(&Tensor::zeros(
            (0, 3),
            DType::F32,
            &Device::Cpu
        )?)),
        "lipschitz: matrix has shape [0, 3]; expected (N, …), N at least 1"
    );
    assert!(
        message(spectral_norm(
            &(Tensor::ones((2, 2), DType::F32, CPU)? / 0.)?
        ))
        .contains("inf")
    );

    let closed = |loss: &IsometricLoss, x: &Tensor, labels: &Tensor| {
        message(isometric_gradient(&network, loss, &data(x, labels)))
    };
    let good = IsometricLoss::default();
    assert!(closed(&good, &none, labels).contains("N at least 2"));
    assert!(closed(&good, &one, &labels.narrow(0, 0, 1)?).contains("N at least 2"));
    assert!(closed(&good, &nan, labels).contains("NaN"));
    assert!(closed(&good, x, &labels.narrow(0, 0, 5)?).contains("one for each input"));
    assert!(
        closed(
            &IsometricLoss {
                beta: -1.,
                ..good.clone()
            },
            x,
            labels
        )
        .starts_with("beta is -1")
    );
    assert!(
        closed(
            &IsometricLoss {
                distance: Arc::new(Manhattan),
                ..good
            },
            x,
            labels
        )
        .starts_with("distance is Manhattan")
    );
    let far = Tensor::new(&[9u32; 6], CPU)?;
    assert!(
        message(cross_entropy_gradient(&network, HIDDEN, &data(x, &far))).contains("label is 9")
    );
    Ok(())
}
