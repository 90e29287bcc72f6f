//! Models: what clones, frozen copies and wrapped networks share; weights of other tools; a network
//! of one's own through training, attack, band and Lipschitz constants.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_nn::{BatchNorm, Linear, VarBuilder, batch_norm, linear};
use common::{CPU, assert_close, build, message, values, wave, weights};
use isopath::Result;
use isopath::attacks::{Attack, Fgsm, gradient};
use isopath::candle::{DType, Module as _, ModuleT as _, Tensor};
use isopath::checks::Bounds;
use isopath::datasets::Dataset;
use isopath::lipschitz::{jacobian_norms, layer_norms, spectral_norm};
use isopath::losses::{CrossEntropy, IsometricLoss, Loss as _};
use isopath::metrics::accuracy;
use isopath::models::{Activation, Mlp, Model, Network, Normalised, Representation, Weights};
use isopath::paths::{NebParams, NetworkEnergy, Verdict, neb};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{AdamParams, TrainParams, train};

/// Points of the unit square, their class the half that they lie in.
fn points(n: usize, dtype: DType) -> Result<Dataset> {
    let points = Rng::new(4).uniform((n, 2), 0., 1., dtype, CPU)?;
    let labels = points.narrow(1, 0, 1)?.squeeze(1)?.ge(0.5)?;
    Dataset::new(points, labels)?.with_classes(["left", "right"])
}

fn params() -> TrainParams {
    TrainParams {
        epochs: 2,
        batch_size: 20,
        progress: Progress::Hidden,
        ..TrainParams::default()
    }
}

#[test]
fn a_clone_shares_the_weights_and_a_frozen_copy_does_not() -> Result<()> {
    let data = points(60, DType::F64)?;
    let model = build(&[2, 8, 2], 1, DType::F64)?;
    let clone = model.clone();
    let frozen = model.freeze()?;
    let before = values(&model.forward(&data.inputs)?);
    assert_eq!(values(&frozen.forward(&data.inputs)?), before);

    train(&model, &data, &CrossEntropy, &params())?;
    let after = values(&model.forward(&data.inputs)?);
    assert_ne!(after, before);
    assert_eq!(values(&clone.forward(&data.inputs)?), after);
    assert_eq!(values(&frozen.forward(&data.inputs)?), before);
    assert_eq!(clone.history(), model.history());
    assert_eq!(model.history().epochs.len(), 2);
    // Training the clone trains the model.
    train(&clone, &data, &CrossEntropy, &params())?;
    assert_ne!(values(&model.forward(&data.inputs)?), after);
    // Its words.
    assert_eq!(format!("{model:?}"), "Mlp([2, 8, 2], Tanh) with 42 weights");
    Ok(())
}

#[test]
fn a_wrapped_network_has_the_same_weights() -> Result<()> {
    let data = points(60, DType::F64)?;
    let model = build(&[2, 8, 2], 1, DType::F64)?;
    let (mean, std) = ([0.4, 0.6], [0.5, 0.25]);
    // Two channels without extent.
    let on_pixels = model.wrap(move |network| Normalised::new(network, &mean, &std))?;
    let normalised = |x: &Tensor| -> Result<Tensor> {
        let (mean, std) = (Tensor::new(&mean, CPU)?, Tensor::new(&std, CPU)?);
        Ok(x.broadcast_sub(&mean)?.broadcast_div(&std)?)
    };
    let same = || -> Result<()> {
        let (found, expected) = (
            on_pixels.forward(&data.inputs)?,
            model.forward(&normalised(&data.inputs)?)?,
        );
        assert_close(&values(&found), &values(&expected), 1e-15);
        Ok(())
    };
    same()?;
    assert_eq!(on_pixels.stages(), model.stages());
    assert_eq!(on_pixels.parameters().count(), model.parameters().count());
    let before = weights(model.parameters());
    train(&on_pixels, &data, &CrossEntropy, &params())?;
    assert_ne!(weights(model.parameters()), before);
    same()?;
    // And the other way round.
    train(&model, &data, &CrossEntropy, &params())?;
    same()
}

/// Central differences of step h: an error of about h², and of 1e-16/h.
#[test]
fn a_normalised_networks_gradient_is_one_of_pixels() -> Result<()> {
    let (h, data) = (1e-5, points(5, DType::F64)?);
    let network = build(&[2, 6, 2], 3, DType::F64)?
        .wrap(|network| Normalised::new(network, &[0.4, 0.6], &[0.5, 0.25]))?;
    let found = values(&gradient(&network, &CrossEntropy, &data)?);
    for (index, found) in found.iter().enumerate() {
        let beside = |step: f64| -> Result<f64> {
            let mut pixels = values(&data.inputs);
            pixels[index] += step;
            let moved = Dataset {
                inputs: Tensor::from_vec(pixels, (5, 2), CPU)?,
                ..data.clone()
            };
            Ok(CrossEntropy.loss(&network, &moved)?.to_scalar()?)
        };
        let quotient = (beside(h)? - beside(-h)?) / (2. * h);
        assert!(
            (found - quotient).abs() < 1e-9,
            "{index}: {found}, {quotient}"
        );
    }
    // An attack through it stays within the pixels' own bounds and distance.
    let attack = Fgsm {
        bounds: Some(Bounds::default()),
        ..Fgsm::default()
    };
    let attacked = attack.attack(&network, &data, 0.1)?;
    assert!(
        attacked
            .distance
            .iter()
            .all(|d| *d <= 0.1 + 1e-15 && *d > 0.)
    );
    Ok(())
}

/// Two layers of candle's own.
#[derive(Clone)]
struct Own {
    hidden: Linear,
    output: Linear,
}

impl Own {
    fn new(vb: VarBuilder) -> isopath::candle::Result<Self> {
        Ok(Self {
            hidden: linear(2, 16, vb.pp("hidden"))?,
            output: linear(16, 2, vb.pp("output"))?,
        })
    }
}

impl Network for Own {
    fn stages(&self) -> usize {
        2
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        match index {
            0 => Ok(self.hidden.forward(x)?.relu()?),
            _ => Ok(self.output.forward(x)?),
        }
    }

    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        Ok(Some([&self.hidden, &self.output][index].weight().clone()))
    }
}

#[test]
fn a_network_of_ones_own_goes_through_everything() -> Result<()> {
    let data = points(200, DType::F32)?;
    let model = Model::on(2, DType::F32, CPU, Own::new)?;
    let long = TrainParams {
        epochs: 60,
        optimizer: AdamParams {
            learning_rate: 0.01,
            ..AdamParams::default()
        }
        .into(),
        ..params()
    };
    let history = train(&model, &data, &IsometricLoss::new(0.1), &long)?;
    assert!(history.epochs[59].isometric < history.epochs[0].isometric);
    assert!(accuracy(&model, &data)? > 0.95);

    let curve = Fgsm::default().curve(&model, &data, &[0., 0.05, 0.5])?;
    assert_eq!(curve.accuracy[0], accuracy(&model, &data)?);
    assert!(curve.accuracy.is_sorted_by(|a, b| a >= b) && curve.accuracy[2] < 0.5);

    // A band between two points of a class stays in the class, in the input and in the hidden space.
    let left = data.of_class("left")?;
    let ends = |row: usize, representation: Representation| {
        representation.of(&model, &left.inputs.narrow(0, row, 1)?)
    };
    for representation in [Representation::Input, Representation::LastHidden] {
        let energy = NetworkEnergy::new(&model, representation, &[0])?;
        let (start, end) = (
            ends(0, representation)?.detach(),
            ends(1, representation)?.detach(),
        );
        let bands = neb(&energy, &start, &end, &NebParams::default())?;
        assert_eq!(bands.len(), 1);
        assert_ne!(bands[0].verdict, Verdict::NoneFound, "{representation:?}");
    }

    let norms = jacobian_norms(&model, Representation::Logits, &data.inputs)?;
    let bound: f64 = layer_norms(&model, Representation::Logits)?
        .iter()
        .product();
    assert!(
        norms
            .iter()
            .all(|norm| *norm > 0. && *norm <= bound * (1. + 1e-5))
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    model.save(&path)?;
    let again = Model::on(3, DType::F32, CPU, Own::new)?.load(&path)?;
    assert_eq!(
        values(&again.forward(&data.inputs)?),
        values(&model.forward(&data.inputs)?)
    );
    Ok(())
}

/// The norms are those of the weights times 1/std, column by column.
#[test]
fn a_normalisation_is_part_of_the_first_layers_norm() -> Result<()> {
    let model = build(&[4, 3, 2], 1, DType::F64)?;
    // Two channels of two pixels.
    let on_pixels = model.wrap(|network| Normalised::new(network, &[0., 0.], &[0.5, 0.25]))?;
    let scale = Tensor::new(&[2., 2., 4., 4.], CPU)?;
    let first = spectral_norm(&model.weights()[0].broadcast_mul(&scale)?)?;
    let second = spectral_norm(model.weights()[1])?;
    let found = layer_norms(&on_pixels, Representation::Logits)?;
    assert_close(&found, &[first, second], 1e-12);
    let images = wave(&[3, 2, 1, 2], 0.)?;
    let steepest = jacobian_norms(&on_pixels, Representation::Stage(1), &images)?;
    assert!(steepest.iter().all(|norm| *norm <= first * (1. + 1e-12)));
    Ok(())
}

/// A layer of candle's own with a normalisation of candle's own.
#[derive(Clone, Debug)]
struct WithMode {
    layer: Linear,
    norm: BatchNorm,
    training: bool,
}

impl WithMode {
    fn new(vb: VarBuilder) -> isopath::candle::Result<Self> {
        Ok(Self {
            layer: linear(2, 2, vb.pp("layer"))?,
            norm: batch_norm(2, 1e-5, vb.pp("norm"))?,
            training: true,
        })
    }
}

impl Network for WithMode {
    fn stages(&self) -> usize {
        2
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        match index {
            0 => Ok(self.layer.forward(x)?),
            _ => Ok(self.norm.forward_t(x, self.training)?),
        }
    }

    fn is_training(&self) -> bool {
        self.training
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        Ok(Arc::new(Self {
            training: false,
            ..self.clone()
        }))
    }
}

#[test]
fn a_network_of_ones_own_is_measured_in_evaluation_mode() -> Result<()> {
    let data = points(60, DType::F64)?;
    let model = Model::on(1, DType::F64, CPU, WithMode::new)?;
    train(&model, &data, &CrossEntropy, &params())?;
    let before = weights(model.parameters());
    let logits = Representation::Logits;
    // Neither does an answer depend on the others, nor do running statistics move.
    let all = values(&logits.of(&model, &data.inputs)?);
    let one = values(&logits.of(&model, &data.first(1)?.inputs)?);
    assert_close(&one, &all[..2], 1e-15);
    assert_eq!(weights(model.parameters()), before);
    assert_ne!(values(&model.norm.running_mean().clone()), [0., 0.]);
    assert_eq!(
        message(layer_norms(&model, logits)),
        "weight is none for stage 0; expected the matrix of a linear stage, given by the network's `weight`"
    );
    Ok(())
}

#[test]
fn a_last_batch_of_one_is_found_before_it_spoils_candles_normalisation() -> Result<()> {
    let data = points(41, DType::F64)?;
    let model = Model::on(1, DType::F64, CPU, WithMode::new)?;
    let before = weights(model.parameters());
    let text = message(train(&model, &data, &CrossEntropy, &params()));
    assert!(text.starts_with("batch_size is 20; expected") && text.contains("LastBatch::Drop"));
    assert_eq!(weights(model.parameters()), before);
    Ok(())
}

/// A network whose second layer does not take what the first one gives.
#[test]
fn errors_of_candle_name_the_stage() -> Result<()> {
    let model = Model::on(1, DType::F32, CPU, |vb| {
        let (hidden, output) = (linear(2, 16, vb.pp("a"))?, linear(15, 2, vb.pp("b"))?);
        Ok::<_, isopath::Error>(Own { hidden, output })
    })?;
    assert_eq!(
        message(accuracy(&model, &points(5, DType::F32)?)),
        "stage 1, of F32 numbers of shape [5, 16]: shape mismatch in matmul, lhs: [5, 16], rhs: [15, 2]"
    );
    Ok(())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// `tests/fixtures/mlp_pth.py` (torch 2.15.0) wrote the files and printed the answers.
#[test]
fn weights_of_pytorch_are_read_renamed_and_loaded() -> Result<()> {
    let answers = [
        0.3354654014110565,
        0.08571995794773102,
        -0.16014035046100616,
        0.17742933332920074,
        0.09353281557559967,
        -0.03134173899888992,
    ];
    let x = wave(&[2, 4], 0.)?.to_dtype(DType::F32)?;
    for file in ["mlp.pth", "mlp_checkpoint.pth", "mlp_tutorial.pth"] {
        let read = Weights::read(fixture(file))?;
        let names: Vec<&String> = read.tensors.keys().collect();
        assert_eq!(
            names,
            [
                "module.fc1.bias",
                "module.fc1.weight",
                "module.fc2.bias",
                "module.fc2.weight"
            ]
        );
        let ours = read
            .without_prefix("module.")
            .renamed(&[("fc1", "layers.0"), ("fc2", "layers.1")])?;
        let model = build(&[4, 5, 3], 9, DType::F32)?.with_weights(&ours)?;
        // f32, whose sums of five products round to 1e-7.
        assert_close(&values(&model.forward(&x)?), &answers, 3e-7);
    }
    // Named as they are, they go into a network that names them so.
    let named = Model::on(0, DType::F32, CPU, |vb| {
        let mlp = Mlp::new(&[4, 5, 3], Activation::Tanh, vb.clone())?;
        Ok::<_, isopath::Error>(mlp)
    })?;
    let read = Weights::read(fixture("mlp.pth"))?;
    let text = message(named.with_weights(&read));
    assert!(
        text.ends_with(
            "no such tensor; there are module.fc1.bias, module.fc1.weight, module.fc2.bias, \
             module.fc2.weight; expected a tensor layers.0.bias"
        ),
        "{text}"
    );
    Ok(())
}

#[test]
fn errors_name_the_nearest_weight_and_nothing_changes() -> Result<()> {
    let model = build(&[4, 5, 3], 9, DType::F32)?;
    let before = weights(model.parameters());
    let short =
        || -> Result<Weights> { Ok(Weights::read(fixture("mlp.pth"))?.without_prefix("module.")) };
    let refused = |weights: &Weights| {
        let text = message(model.clone().with_weights(weights));
        assert!(!text.contains('\n'), "{text}");
        text.replace(&format!("{}: ", fixture("mlp.pth").display()), "")
    };
    // One letter too few.
    let text = refused(&short()?.renamed(&[("fc1", "layer.0"), ("fc2", "layers.1")])?);
    assert_eq!(
        text,
        "no such tensor; the nearest is layer.0.bias; expected a tensor layers.0.bias"
    );
    // One more than there are.
    let fitting = short()?.renamed(&[("fc1", "layers.0"), ("fc2", "layers.1")])?;
    let mut more = fitting.clone();
    more.tensors
        .insert("layers.2.bias".into(), Tensor::zeros(3, DType::F32, CPU)?);
    let text = refused(&more);
    assert!(
        text.starts_with("also a tensor layers.2.bias of shape [3]; the nearest weight is layers."),
        "{text}"
    );
    // Another shape.
    let text = refused(&short()?.renamed(&[("fc1", "layers.1"), ("fc2", "layers.0")])?);
    assert_eq!(
        text,
        "layers.0.bias has shape [3]; expected shape [5] for layers.0.bias"
    );
    // A name that the file does not have.
    let text = message(short()?.renamed(&[("fc3", "layers.0")]));
    assert!(
        text.ends_with("no such name; the nearest is fc1; expected a name that begins with fc3"),
        "{text}"
    );
    assert_eq!(weights(model.parameters()), before);
    model.clone().with_weights(&fitting)?;
    assert_ne!(weights(model.parameters()), before);
    Ok(())
}

#[test]
fn files_that_are_no_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        message(Weights::read(&path))
    };
    let whole = std::fs::read(fixture("mlp.pth")).unwrap();
    for bytes in [&whole[..0], &whole[..100], &whole[..whole.len() - 30]] {
        let text = refused("torn.pth", bytes);
        assert!(
            text.contains("expected a file of torch.save(module.state_dict(), …)"),
            "{text}"
        );
        assert!(!text.contains('\n'), "{text}");
    }
    let text = refused("torn.safetensors", &whole);
    assert!(text.contains("expected a whole safetensors file"), "{text}");
    let missing = message(Weights::read(folder.path().join("none.pth")));
    assert!(
        missing.contains("none.pth") && !missing.contains('\n'),
        "{missing}"
    );
}
