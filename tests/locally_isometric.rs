//! Stacked locally isometric layers: what they compute, which gradients cross, and how they are
//! trained.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{CPU, assert_close, data, message, observer, values, wave, with_threads};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::{Dataset, TorusParams, torus};
use isopath::losses::{IsometricLoss, Loss as _};
use isopath::metrics::accuracy;
use isopath::models::{
    Head, LocallyIsometric, LocallyIsometricParams, Model, Network as _, Parameters,
};
use isopath::progress::Progress;
use isopath::training::{
    AdamParams, History, StackParams, check_nested, stack_terms, step_stack, train_stack,
};

/// Two hidden layers of 3 units for points in the plane; 2 and 3 classes.
fn params(stop_gradient: bool) -> LocallyIsometricParams {
    LocallyIsometricParams {
        inputs: 2,
        hidden: vec![3, 3],
        classes: vec![2, 3],
        head: Head::Separate,
        stop_gradient,
    }
}

fn build(params: &LocallyIsometricParams, dtype: DType) -> Result<Model<LocallyIsometric>> {
    let params = params.clone();
    Model::on(3, dtype, CPU, move |vb| LocallyIsometric::new(&params, vb))
}

/// Six points with labels at two resolutions.
fn points() -> Result<Vec<Dataset>> {
    let level = |labels: [u32; 6]| Dataset::new(wave(&[6, 2], 0.)?, Tensor::new(&labels, CPU)?);
    Ok(vec![level([0, 0, 0, 1, 1, 1])?, level([0, 0, 1, 2, 2, 2])?])
}

/// The weights in the order of the layers: weight, bias, weight, bias, …
fn in_order(parameters: &Parameters) -> Vec<(String, Var)> {
    let mut named: Vec<_> = parameters.named().into_iter().collect();
    named.sort_by_key(|(name, _)| name.replace("weight", "a"));
    named
}

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(shape, start): return torch.sin(torch.arange(torch.Size(shape).numel()) + start).reshape(shape)
/// x = wave((6, 2), 0)
/// labels = [torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 0, 1, 2, 2, 2])]
/// def layer(inputs, classes, start):
///     shapes = [(3, inputs), (3,), (3, 3), (3,), (classes, 3), (classes,)]
///     return [wave(s, start + k).requires_grad_() for k, s in enumerate(shapes)]
/// def iso(x, z, t):
///     g = (t[:, None] == t[None, :]).double()
///     d = lambda p: torch.sqrt(((p[:, None] - p[None])**2).sum(-1) + torch.eye(len(p))) - torch.eye(len(p))
///     return (g * (d(x) - d(z))).square().sum() / len(x)**2
/// for cut in [True, False]:
///     lils = [layer(2, 2, 0.), layer(3, 3, 10.)]
///     losses, phi = [], x
///     for (w1, b1, w2, b2, w3, b3), t in zip(lils, labels):
///         given = phi.detach() if cut else phi
///         phi = torch.tanh(torch.tanh(given @ w1.T + b1) @ w2.T + b2)
///         losses.append(torch.nn.functional.cross_entropy(phi @ w3.T + b3, t) + 3 * iso(given, phi, t))
///     sum(losses).backward()
///     print([l.item() for l in losses], [w.grad.sum().item() for lil in lils for w in lil])
/// ```
#[test]
fn losses_and_gradients_are_those_of_pytorch() -> Result<()> {
    let first_cut = [
        0.21833929783044675,
        -0.1305917716712546,
        -0.0026156306020095887,
        -0.0227099273252076,
        0.,
        0.,
    ];
    let first_through = [
        2.634024691530521,
        -1.671829942494658,
        1.4495149348248642,
        1.2452744754671652,
        0.,
        0.,
    ];
    let second = [
        0.516381685870046,
        -0.8371073418736199,
        -0.49752599782832824,
        0.30644168341825534,
        0.,
        0.,
    ];
    for (stop_gradient, first) in [(true, first_cut), (false, first_through)] {
        let stack = build(&params(stop_gradient), DType::F64)?;
        let parameters = stack.parameters();
        for (index, (_, var)) in in_order(parameters).into_iter().enumerate() {
            var.set(&wave(var.dims(), (index % 6 + 10 * (index / 6)) as f64)?)?;
        }
        let loss = IsometricLoss {
            beta: 3.,
            ..IsometricLoss::default()
        };
        let terms = stack_terms(&stack, &points()?, &loss)?;
        let losses = [values(&terms[0].loss)[0], values(&terms[1].loss)[0]];
        assert_close(&losses, &[1.1330646946884186, 2.527688276191057], 1e-13);
        let gradients = (&terms[0].loss + &terms[1].loss)?.backward()?;
        let sum = |var: &Var| {
            gradients
                .get(var)
                .map_or(f64::NAN, |g| values(g).iter().sum())
        };
        let sums: Vec<f64> = in_order(parameters)
            .iter()
            .map(|(_, var)| sum(var))
            .collect();
        assert_close(&sums[..6], &first, 1e-12);
        assert_close(&sums[6..], &second, 1e-12);
    }
    Ok(())
}

#[test]
fn no_gradient_crosses_a_cut() -> Result<()> {
    for crosses in [false, true] {
        let stack = build(&params(!crosses), DType::F64)?;
        let terms = stack_terms(&stack, &points()?, &IsometricLoss::default())?;
        for (layer, terms) in terms.iter().enumerate() {
            let gradients = terms.loss.backward()?;
            for (name, var) in stack.parameters().named() {
                let reached = gradients
                    .get(&var)
                    .is_some_and(|g| values(g).iter().any(|v| *v != 0.));
                let own = name.starts_with(&format!("lil.{layer}."));
                // A layer's projection is not on the way to the next one.
                let before = layer == 1 && name.starts_with("lil.0.") && !name.contains("layers.2");
                assert_eq!(
                    reached,
                    own || (crosses && before),
                    "crosses {crosses}: layer {layer}, {name}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_step_follows_the_sum_of_the_losses_on_any_number_of_threads() -> Result<()> {
    let (levels, shape) = on_torus(&[2, 4, 8])?;
    for stop_gradient in [true, false] {
        let stack = build(
            &LocallyIsometricParams {
                stop_gradient,
                ..shape.clone()
            },
            DType::F32,
        )?;
        let loss = IsometricLoss {
            alpha: 0.5,
            beta: 2.,
            ..IsometricLoss::default()
        };
        let (named, mut before) = (stack.parameters().named(), Vec::new());
        let terms = stack_terms(&stack, &levels, &loss)?;
        let sum = ((&terms[0].loss + &terms[1].loss)? + &terms[2].loss)?.backward()?;
        let losses: Vec<f64> = terms.iter().flat_map(|terms| values(&terms.loss)).collect();
        for threads in [1, 2, 3] {
            let mut followed = Vec::new();
            let terms = with_threads(threads, || {
                step_stack(&stack, &levels, &loss, |gradients| {
                    followed = named
                        .values()
                        .flat_map(|var| gradients.get(var).map_or(vec![f64::NAN], values))
                        .collect();
                    Ok(())
                })
            })?;
            assert_eq!(
                terms
                    .iter()
                    .flat_map(|terms| values(&terms.loss))
                    .collect::<Vec<_>>(),
                losses
            );
            let of_sum: Vec<f64> = named
                .values()
                .flat_map(|var| sum.get(var).map_or(vec![f64::NAN], values))
                .collect();
            assert_eq!(followed, of_sum);
            if threads > 1 {
                assert_eq!(followed, before);
            }
            before = followed;
        }
    }
    Ok(())
}

fn steps(epochs: usize) -> StackParams {
    StackParams {
        epochs,
        adam: AdamParams {
            learning_rate: 0.01,
            ..AdamParams::default()
        },
        progress: Progress::Hidden,
        ..StackParams::default()
    }
}

/// A small torus and the shape of a stack on it.
fn on_torus(regions: &[usize]) -> Result<(Vec<Dataset>, LocallyIsometricParams)> {
    let set = torus(&TorusParams {
        toroidal: 16,
        poloidal: 6,
        regions: regions.to_vec(),
        ..TorusParams::default()
    })?;
    let shape = LocallyIsometricParams {
        classes: regions.to_vec(),
        head: Head::Separate,
        ..Default::default()
    };
    Ok((set.levels()?, shape))
}

/// The weights of the first layer after training, and the histories.
fn trained(regions: &[usize], stop_gradient: bool) -> Result<(Vec<f64>, Vec<History>)> {
    let (levels, shape) = on_torus(regions)?;
    let shape = LocallyIsometricParams {
        stop_gradient,
        ..shape
    };
    let stack = build(&shape, DType::F32)?;
    let histories = train_stack(&stack, &levels, &IsometricLoss::default(), &steps(30))?;
    let named = stack.parameters().named();
    let first = named
        .iter()
        .filter(|(name, _)| name.starts_with("lil.0."))
        .flat_map(|(_, var)| values(var));
    Ok((first.collect(), histories))
}

/// With the gradient cut, the coarsest layer must not know whether others follow.
#[test]
fn a_layer_learns_as_if_it_were_alone() -> Result<()> {
    let (alone, history) = trained(&[2], true)?;
    let (below_another, histories) = trained(&[2, 4], true)?;
    assert_eq!(alone, below_another);
    let losses = |history: &History| {
        history
            .epochs
            .iter()
            .map(|epoch| epoch.loss)
            .collect::<Vec<_>>()
    };
    assert_eq!(losses(&history[0]), losses(&histories[0]));
    assert_ne!(alone, trained(&[2, 4], false)?.0);
    Ok(())
}

#[test]
fn training_is_right_at_every_level_and_repeats_itself() -> Result<()> {
    let (levels, shape) = on_torus(&[2, 4])?;
    let loss = IsometricLoss {
        beta: 1.,
        ..IsometricLoss::default()
    };
    for head in [Head::Shared, Head::Separate] {
        let run = || -> Result<_> {
            let stack = build(
                &LocallyIsometricParams {
                    head,
                    ..shape.clone()
                },
                DType::F32,
            )?;
            let reports = Arc::new(AtomicUsize::new(0));
            let heard = reports.clone();
            let params = StackParams {
                observer: observer(move |_| {
                    heard.fetch_add(1, Ordering::Relaxed);
                }),
                ..steps(500)
            };
            let histories = train_stack(&stack, &levels, &loss, &params)?;
            assert_eq!(reports.load(Ordering::Relaxed), 500);
            Ok((stack.freeze()?, histories))
        };
        let (stack, histories) = run()?;
        for (level, data) in levels.iter().enumerate() {
            assert_eq!(
                accuracy(&stack.classifier(level)?, data)?,
                1.,
                "{head:?}, level {level}"
            );
            let (first, last) = (&histories[level].epochs[0], &histories[level].epochs[499]);
            assert!(last.loss < 0.1 * first.loss, "{first:?} {last:?}");
            // A root mean square error of 0.1 over all pairs, whose distances are up to 2.8.
            assert!(last.isometric < Some(0.01), "{last:?}");
            assert_eq!(last.accuracy, Some(1.));
        }
        let again = run()?.0;
        let logits = |stack: &LocallyIsometric| -> Result<_> {
            Ok(values(&stack.classifier(1)?.forward(&levels[0].inputs)?))
        };
        assert_eq!(logits(&stack)?, logits(&again)?);
    }
    Ok(())
}

#[test]
fn a_level_is_the_network_up_to_its_layer() -> Result<()> {
    let shape = LocallyIsometricParams {
        classes: vec![2, 4, 8],
        ..Default::default()
    };
    let stack = build(&shape, DType::F64)?;
    let parameters = stack.parameters();
    assert_eq!(
        (stack.len(), parameters.count()),
        (3, 2 * (20 * 20 + 20) + 80 + 9 * (400 + 20) + 3 * (160 + 8))
    );
    assert_eq!(parameters.named()["lil.2.layers.4.weight"].dims(), [8, 20]);
    let x = Var::from_tensor(&wave(&[5, 3], 0.)?)?;
    for (index, output) in stack.outputs(&x)?.iter().enumerate() {
        let level = stack.classifier(index)?;
        assert_eq!(level.stages(), 4 * (index + 1) + 1);
        assert_eq!(values(&level.forward(&x)?), values(&output.logits));
        let representations = level.representations(&x)?;
        assert_eq!(
            values(&representations[level.stages() - 1]),
            values(&output.representation)
        );
        // An attack on a finer level needs the gradient through all layers.
        let gradients = level.forward(&x)?.sum_all()?.backward()?;
        assert!(
            gradients
                .get(&x)
                .is_some_and(|g| values(g).iter().any(|v| *v != 0.))
        );
        assert!(level.stage(level.stages(), &x).is_err());
    }
    let separate = LocallyIsometricParams {
        head: Head::Separate,
        ..shape
    };
    assert_eq!(
        build(&separate, DType::F64)?.parameters().named()["lil.0.layers.4.weight"].dims(),
        [2, 20]
    );
    assert_eq!(
        message(stack.classifier(3)),
        "layer is 3; expected below 3, the number of layers"
    );
    Ok(())
}

/// A stack of one layer is a network with the loss of the paper's section 2.
#[test]
fn one_layer_is_a_plain_network() -> Result<()> {
    let levels = points()?;
    let stack = build(
        &LocallyIsometricParams {
            classes: vec![2],
            ..params(true)
        },
        DType::F64,
    )?;
    let loss = IsometricLoss::default();
    let terms = stack_terms(&stack, &levels[..1], &loss)?;
    assert_eq!(
        values(&terms[0].loss),
        values(&loss.loss(&stack.classifier(0)?, &levels[0])?)
    );
    Ok(())
}

#[test]
fn bad_stacks_and_labels_are_refused() -> Result<()> {
    let refused = |change: &dyn Fn(&mut LocallyIsometricParams)| {
        let mut params = params(true);
        change(&mut params);
        message(build(&params, DType::F32))
    };
    assert_eq!(
        refused(&|p| p.inputs = 0),
        "inputs is 0; expected at least 1"
    );
    assert_eq!(
        refused(&|p| p.hidden = vec![]),
        "hidden is []; expected at least one size, each at least 1"
    );
    assert_eq!(
        refused(&|p| p.hidden = vec![3, 0]),
        "hidden is [3, 0]; expected at least one size, each at least 1"
    );
    let expected =
        "expected at least one number of classes, each at least 2 and not below the one before";
    for classes in [vec![], vec![1], vec![4, 2]] {
        let got = format!("classes is {classes:?}; {expected}");
        assert_eq!(refused(&|p| p.classes = classes.clone()), got);
    }

    let levels = points()?;
    let x = levels[0].inputs.to_dtype(DType::F32)?;
    let labels: Vec<Tensor> = levels.into_iter().map(|level| level.labels).collect();
    let levels = |x: &Tensor, labels: &[Tensor]| -> Vec<Dataset> {
        labels.iter().map(|labels| data(x, labels)).collect()
    };
    let stack = build(&params(true), DType::F32)?;
    let train = |labels: &[Tensor], epochs: usize| {
        message(train_stack(
            &stack,
            &levels(&x, labels),
            &IsometricLoss::default(),
            &steps(epochs),
        ))
    };
    assert_eq!(train(&labels, 0), "epochs is 0; expected at least 1");
    assert_eq!(
        train(&labels[..1], 1),
        "number of levels is 1; expected 2, one for each layer"
    );
    let crossing = [labels[0].clone(), Tensor::new(&[0u32, 1, 1, 1, 2, 2], CPU)?];
    let expected = "nesting of the labels is broken: class 1 of level 1 lies in both class 0 and \
                    class 1 of level 0; expected labels that nest: each finer class inside one coarser class";
    assert_eq!(train(&crossing, 1), expected);
    assert_eq!(message(check_nested(&levels(&x, &crossing))), expected);
    let short = [labels[0].clone(), Tensor::new(&[0u32, 1], CPU)?];
    assert_eq!(
        train(&short, 1),
        "check_nested: labels has shape [2]; expected (6,), one for each input"
    );
    let many = [labels[0].clone(), Tensor::new(&[0u32, 1, 2, 3, 3, 3], CPU)?];
    assert_eq!(
        train(&many, 1),
        "label is 3; expected below 3, the number of classes"
    );
    let loss = IsometricLoss {
        beta: f64::NAN,
        ..IsometricLoss::default()
    };
    let text = message(train_stack(&stack, &levels(&x, &labels), &loss, &steps(1)));
    assert_eq!(text, "beta is NaN; expected a finite number ≥ 0");
    let hole = Tensor::new(
        &[
            [f32::NAN, 0.],
            [0., 1.],
            [1., 0.],
            [1., 1.],
            [2., 1.],
            [1., 3.],
        ],
        CPU,
    )?;
    let text = message(train_stack(
        &stack,
        &levels(&hole, &labels),
        &IsometricLoss::default(),
        &steps(1),
    ));
    assert!(
        text.starts_with("loss is NaN; expected finite numbers in epoch 1"),
        "{text}"
    );
    // The last step, which no loss tells of.
    let stack = build(&params(true), DType::F32)?;
    let wild = StackParams {
        adam: AdamParams {
            learning_rate: 1e39,
            ..AdamParams::default()
        },
        ..steps(1)
    };
    let text = message(train_stack(
        &stack,
        &levels(&x, &labels),
        &IsometricLoss::default(),
        &wild,
    ));
    // The points of one level are those of every other.
    let other = [data(&x, &labels[0]), data(&x.narrow(0, 0, 4)?, &labels[1])];
    assert_eq!(
        message(train_stack(
            &stack,
            &other,
            &IsometricLoss::default(),
            &steps(1)
        )),
        "train_stack: inputs has shape [4, 2]; expected [6, 2], the same points at every level"
    );
    assert_eq!(
        text,
        "weights is NaN or ∞; expected finite after epoch 1 (a smaller learning rate may help)"
    );
    Ok(())
}
