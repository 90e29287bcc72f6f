//! Residual networks: torchvision's numbers, names and shapes; modes; bad weights.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use common::{CPU, assert_close, gradients_along, message, values, wave};
use isopath::candle::{DType, Tensor, Var, safetensors};
use isopath::models::resnet::{Block, ResNetParams, Stem};
use isopath::models::{Model, Network, Normalised, Representation, ResNet};
use isopath::rng::Rng;
use isopath::{Error, Result};

/// What `tests/fixtures/resnet.py` wrote.
struct Fixture {
    tensors: HashMap<String, Tensor>,
    name: &'static str,
    params: ResNetParams,
}

fn fixture(name: &'static str) -> Result<Fixture> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/resnet.safetensors");
    let imagenet = ResNetParams {
        classes: 5,
        ..ResNetParams::of_depth(50)?
    };
    let params = match name {
        "bottleneck" => ResNetParams {
            depths: [2, 1, 1, 1],
            width: 2,
            ..imagenet
        },
        _ => ResNetParams {
            block: Block::Basic,
            depths: [1, 2, 1, 1],
            width: 3,
            stem: Stem::Cifar,
            ..imagenet
        },
    };
    Ok(Fixture {
        tensors: safetensors::load(path, CPU)?,
        name,
        params,
    })
}

impl Fixture {
    fn get(&self, key: &str) -> &Tensor {
        &self.tensors[&format!("{}.{key}", self.name)]
    }

    /// torchvision's state dict in a file.
    fn state_dict(&self, folder: &Path) -> Result<std::path::PathBuf> {
        let prefix = format!("{}.weights.", self.name);
        let named = self
            .tensors
            .iter()
            .filter_map(|(key, t)| Some((key.strip_prefix(&prefix)?.to_string(), t.clone())));
        let path = folder.join(self.name).with_extension("safetensors");
        safetensors::save(&named.collect::<HashMap<_, _>>(), &path)?;
        Ok(path)
    }

    /// The network with torchvision's weights.
    fn network(&self) -> Result<Model<ResNet>> {
        let folder = tempfile::tempdir().unwrap();
        random(&self.params, DType::F64)?.load(self.state_dict(folder.path())?)
    }
}

fn random(params: &ResNetParams, dtype: DType) -> Result<Model<ResNet>> {
    let params = params.clone();
    Model::on(1, dtype, CPU, move |vb| ResNet::new(params.clone(), vb))
}

/// In evaluation mode: the copies of the weights, their running statistics folded in.
fn frozen(network: &Model<ResNet>) -> Result<ResNet> {
    network.freeze()?.freeze()
}

#[track_caller]
fn assert_relative(got: &Tensor, expected: &Tensor) {
    assert_eq!(got.dims(), expected.dims());
    let expected = values(expected);
    let largest = expected
        .iter()
        .fold(0f64, |largest, v| largest.max(v.abs()));
    assert!(largest > 0.);
    assert_close(&values(got), &expected, 1e-11 * largest);
}

#[test]
fn stages_and_gradients_are_those_of_torchvision() -> Result<()> {
    for name in ["bottleneck", "basic"] {
        let fixture = fixture(name)?;
        for mode in ["evaluation", "training"] {
            let trained = fixture.network()?;
            let network: Arc<dyn Network> = if mode == "evaluation" {
                Arc::new(frozen(&trained)?)
            } else {
                Arc::new(trained.clone())
            };
            assert_eq!(network.is_training(), mode == "training");
            let x = Var::from_tensor(fixture.get("x"))?;
            let outputs = network.representations(&x)?;
            assert_eq!(outputs.len(), network.stages() + 1);
            for (index, output) in outputs[1..].iter().enumerate() {
                assert_relative(output, fixture.get(&format!("{mode}.stage{index}")));
            }
            let logits = &outputs[7];
            let gradients = (logits * wave(logits.dims(), 0.)?)?.sum_all()?.backward()?;
            assert_relative(
                gradients.get(&x).unwrap(),
                fixture.get(&format!("{mode}.gradient")),
            );
            let named = trained.parameters().named();
            for weight in ["conv1.weight", "layer2.0.bn1.weight"] {
                match gradients.get(&named[weight]) {
                    Some(gradient) => assert_relative(
                        gradient,
                        fixture.get(&format!("{mode}.gradient of {weight}")),
                    ),
                    None => assert!(!network.is_training(), "{weight} has no gradient"),
                }
            }
            if mode == "training" {
                for (name, var) in named.iter().filter(|(name, _)| name.contains("running")) {
                    assert_relative(var, fixture.get(&format!("after.{name}")));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_path_may_resume_at_any_stage() -> Result<()> {
    let fixture = fixture("bottleneck")?;
    let network = frozen(&fixture.network()?)?;
    let outputs = network.representations(fixture.get("x"))?;
    for (index, output) in outputs.iter().enumerate() {
        assert_eq!(
            values(&network.forward_from(index, output)?),
            values(&outputs[7])
        );
    }
    // Several stages as one operation, and one after another.
    for (start, end) in [(0, 3), (1, 5), (2, 2), (4, 7)] {
        assert_eq!(
            values(&network.forward_between(start..end, &outputs[start])?),
            values(&outputs[end])
        );
    }
    let index = |representation: Representation| representation.index(7);
    assert_eq!(
        outputs[index(ResNet::FIRST_RESIDUAL_STAGE)?].dims(),
        [3, 8, 6, 6]
    );
    assert_eq!(outputs[index(ResNet::POOLED)?].dims(), [3, 64]);
    Ok(())
}

#[test]
fn answers_along_segments_are_those_at_points_that_are_made() -> Result<()> {
    for name in ["bottleneck", "basic"] {
        let fixture = fixture(name)?;
        let network = frozen(&fixture.network()?)?;
        let normalised = Normalised::new(network.clone(), &[0.1, 0.2, 0.3], &[2., 3., 4.]);
        let outputs = network.representations(fixture.get("x"))?;
        let places = [([0, 1], 0.25), ([2, 0], 0.5), ([1, 2], 1.), ([1, 1], 0.7)];
        for (index, points) in outputs.iter().enumerate() {
            for network in [&network as &dyn Network, &normalised] {
                let made = places.map(|([from, to], t)| -> Result<Tensor> {
                    let [from, to] = [from, to].map(|row| points.narrow(0, row, 1));
                    Ok(((from? * (1. - t))? + (to? * t)?)?)
                });
                let made = made.into_iter().collect::<Result<Vec<_>>>()?;
                let expected = network.forward_from(index, &Tensor::cat(&made, 0)?)?;
                let found = network.along(index, points)?.logits(&places)?;
                assert_relative(&found, &expected);
            }
        }
        let refused = |index, places: &[_]| {
            let along = network.along(index, &outputs[index]);
            along
                .and_then(|along| along.logits(places))
                .unwrap_err()
                .to_string()
        };
        for index in [0, 2, 5] {
            assert_eq!(refused(index, &[]), "places is none; expected at least one");
            for place in [([0, 3], 0.5), ([0, 1], 1.5), ([0, 1], f64::NAN)] {
                assert_eq!(
                    refused(index, &[place]),
                    format!(
                        "place is {place:?}; expected ends below 3, the number of points, and a share \
                         in [0, 1]"
                    )
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_frozen_network_stays_as_it_is_and_only_its_input_gets_a_gradient() -> Result<()> {
    let network = fixture("basic")?.network()?;
    let (parameters, frozen) = (network.parameters(), frozen(&network)?);
    let x = Var::from_tensor(fixture("basic")?.get("x"))?;
    let before = values(&frozen.forward(&x)?);
    let running = values(&parameters.named()["bn1.running_mean"]);
    network.forward(&x)?;
    assert_ne!(values(&parameters.named()["bn1.running_mean"]), running);
    assert_eq!(values(&frozen.forward(&x)?), before);
    let variables = parameters.vars();
    let y = frozen.forward(&x)?;
    let gradients = gradients_along(
        &y,
        &wave(y.dims(), 0.)?,
        &variables.iter().collect::<Vec<_>>(),
    )?;
    assert!(gradients.iter().flatten().all(|gradient| *gradient == 0.));
    Ok(())
}

/// As `sum(p.numel() for p in torchvision.models.resnet18().parameters())` and so on (torchvision
/// 0.29.2), and the names of `state_dict()` without `num_batches_tracked`.
#[test]
fn sizes_and_names_are_those_of_torchvision() -> Result<()> {
    for (depth, trainable, names) in [(18, 11_689_512, 102), (50, 25_557_032, 267)] {
        let network = random(&ResNetParams::of_depth(depth)?, DType::F32)?;
        let named = network.parameters().named();
        let count: usize = named
            .iter()
            .filter(|(name, _)| !name.contains("running"))
            .map(|(_, var)| var.elem_count())
            .sum();
        assert_eq!((count, named.len()), (trainable, names));
    }
    let fixture = fixture("bottleneck")?;
    let shapes: BTreeMap<_, _> = random(&fixture.params, DType::F64)?
        .parameters()
        .named()
        .into_iter()
        .map(|(name, var)| (name, var.dims().to_vec()))
        .collect();
    let expected: BTreeMap<_, _> = fixture
        .tensors
        .iter()
        .filter_map(|(key, t)| {
            Some((
                key.strip_prefix("bottleneck.weights.")?.to_string(),
                t.dims().to_vec(),
            ))
        })
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .collect();
    assert_eq!(shapes, expected);
    Ok(())
}

/// Kaiming's deviation √(2/fan_out); blocks that begin as the identity.
#[test]
fn fresh_weights_are_drawn_as_torchvisions() -> Result<()> {
    let params = ResNetParams {
        depths: [1, 1, 1, 1],
        ..ResNetParams::cifar10(50, 16)?
    };
    let named = random(&params, DType::F32)?.parameters().named();
    let weight = values(&named["layer4.0.conv2.weight"]);
    let deviation = (weight.iter().map(|w| w * w).sum::<f64>() / weight.len() as f64).sqrt();
    assert!(
        (deviation / (2f64 / (128. * 9.)).sqrt() - 1.).abs() < 0.01,
        "{deviation}"
    );
    assert!(
        values(&named["layer1.0.bn3.weight"])
            .iter()
            .all(|gamma| *gamma == 0.)
    );
    assert!(
        values(&named["layer1.0.bn2.weight"])
            .iter()
            .all(|gamma| *gamma == 1.)
    );
    assert!(
        values(&named["layer1.0.bn2.running_var"])
            .iter()
            .all(|variance| *variance == 1.)
    );
    Ok(())
}

#[test]
fn weights_survive_a_file_in_half_precision() -> Result<()> {
    let fixture = fixture("basic")?;
    let network = fixture.network()?;
    let parameters = network.parameters();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    parameters.save_as(&path, DType::F16)?;
    let again = random(&fixture.params, DType::F64)?.load(&path)?;
    let loaded = again.parameters().named();
    for (name, var) in parameters.named() {
        let error = (var.as_detached_tensor() - loaded[&name].as_detached_tensor())?
            .abs()?
            .max_all()?;
        assert!(error.to_scalar::<f64>()? < 1e-3, "{name}");
    }
    let x = fixture.get("x");
    let (a, b) = (
        values(&frozen(&network)?.forward(x)?),
        values(&frozen(&again)?.forward(x)?),
    );
    assert_close(
        &a,
        &b,
        0.02 * a.iter().fold(0f64, |largest, v| largest.max(v.abs())),
    );
    assert_ne!(a, b);
    Ok(())
}

/// Where convolutions take an image in several parts.
#[test]
fn a_network_of_full_size_answers_and_has_gradients() -> Result<()> {
    let frozen = frozen(&random(&ResNetParams::of_depth(50)?, DType::F32)?)?;
    let x = Var::from_tensor(&Rng::new(2).uniform((2, 3, 224, 224), 0., 1., DType::F32, CPU)?)?;
    let outputs = frozen.representations(&x)?;
    let shapes: Vec<_> = outputs.iter().map(|output| output.dims()).collect();
    let expected: [&[usize]; 8] = [
        &[2, 3, 224, 224],
        &[2, 64, 56, 56],
        &[2, 256, 56, 56],
        &[2, 512, 28, 28],
        &[2, 1024, 14, 14],
        &[2, 2048, 7, 7],
        &[2, 2048],
        &[2, 1000],
    ];
    assert_eq!(shapes, expected);
    // Along a direction the logits change as the gradient says.
    let along = wave(&[2, 1000], 1.)?.to_dtype(DType::F32)?;
    let gradient = Tensor::from_vec(
        gradients_along(&outputs[7], &along, &[&x])?.remove(0),
        x.shape(),
        CPU,
    )?;
    let direction = wave(x.dims(), 2.)?;
    let expected = (&gradient * &direction)?.sum_all()?.to_scalar::<f64>()?;
    let at = |step: f64| -> Result<f64> {
        let moved = (x.to_dtype(DType::F64)? + (&direction * step)?)?.to_dtype(DType::F32)?;
        Ok((frozen.forward(&moved)? * &along)?
            .to_dtype(DType::F64)?
            .sum_all()?
            .to_scalar()?)
    };
    let slope = (at(1e-3)? - at(-1e-3)?) / 2e-3;
    assert!(
        (slope - expected).abs() < 0.05 * expected.abs(),
        "{slope}, {expected}"
    );
    Ok(())
}

#[test]
fn bad_parameters_weights_and_inputs_are_refused() -> Result<()> {
    assert_eq!(
        message(ResNetParams::of_depth(20)),
        "depth is 20; expected 18, 34, 50, 101 or 152"
    );
    let good = ResNetParams {
        depths: [1, 1, 1, 1],
        width: 2,
        ..ResNetParams::cifar10(18, 2)?
    };
    let text = |params: ResNetParams| message(random(&params, DType::F32));
    let depths = text(ResNetParams {
        depths: [1, 0, 1, 1],
        ..good.clone()
    });
    assert_eq!(
        depths,
        "depths is [1, 0, 1, 1]; expected at least one block in every stage"
    );
    assert_eq!(
        text(ResNetParams {
            width: 0,
            ..good.clone()
        }),
        "width is 0; expected from 1 to 65536"
    );
    assert_eq!(
        text(ResNetParams {
            std: [1., 0., 1.],
            ..good.clone()
        }),
        "std is 0; expected finite numbers > 0"
    );
    assert_eq!(
        text(ResNetParams {
            mean: [2., 0., 1.],
            ..good.clone()
        }),
        "mean is 2; expected numbers in [0, 1]"
    );

    let network = random(&good, DType::F32)?;
    let parameters = network.parameters();
    let input = Tensor::zeros((2, 4, 8, 8), DType::F32, CPU)?;
    assert!(
        message(network.forward(&input))
            .starts_with("conv2d: x has shape [2, 4, 8, 8]; expected (N, 3, H, W)")
    );
    let features = message(network.forward_from(6, &input));
    assert_eq!(
        features,
        "resnet: features has shape [2, 4, 8, 8]; expected (N, 16)"
    );
    assert_eq!(
        message(network.stage(7, &input)),
        "stage is 7; expected below 7, the number of stages"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let all = || -> HashMap<String, Tensor> {
        parameters
            .named()
            .into_iter()
            .map(|(name, var)| (name, var.as_detached_tensor()))
            .collect()
    };
    let before = values(&parameters.named()["fc.bias"]);
    let refuse = |tensors: HashMap<String, Tensor>| -> Result<String> {
        safetensors::save(&tensors, &path)?;
        Ok(message(network.clone().load(&path)).replace(&format!("{}: ", path.display()), ""))
    };
    let mut missing = all();
    missing.remove("layer3.0.bn2.running_var");
    assert_eq!(
        refuse(missing)?,
        "no such tensor; expected a tensor layer3.0.bn2.running_var"
    );
    let mut extra = all();
    extra.insert("layer5.weight".into(), Tensor::zeros(3, DType::F32, CPU)?);
    assert!(refuse(extra)?.starts_with("also a tensor layer5.weight of shape [3]"));
    let mut other = all();
    other.insert("fc.bias".into(), Tensor::zeros(3, DType::F32, CPU)?);
    assert_eq!(
        refuse(other)?,
        "fc.bias has shape [3]; expected shape [10] for fc.bias"
    );
    let mut nan = all();
    nan.insert("fc.bias".into(), Tensor::full(f32::NAN, 10, CPU)?);
    assert_eq!(refuse(nan)?, "NaN or ∞; expected finite numbers in fc.bias");
    safetensors::save(&all(), &path)?;
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    std::fs::write(&path, &bytes[..bytes.len() / 2]).map_err(Error::io(&path))?;
    assert!(message(network.clone().load(&path)).contains("expected a whole safetensors file"));
    assert_eq!(values(&parameters.named()["fc.bias"]), before);
    Ok(())
}

/// A network in training mode whose evaluation mode nobody wrote.
#[derive(Clone)]
struct WithoutEvaluation(Model<ResNet>);

impl Network for WithoutEvaluation {
    fn stages(&self) -> usize {
        self.0.stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        self.0.stage(index, x)
    }

    fn is_training(&self) -> bool {
        true
    }
}

#[test]
fn procedures_ask_the_evaluation_mode_and_move_no_statistics() -> Result<()> {
    use isopath::attacks::{Attack, Pgd, gradient};
    use isopath::datasets::Dataset;
    use isopath::losses::CrossEntropy;
    use isopath::{lipschitz, metrics};

    let params = ResNetParams {
        classes: 2,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 4)?
    };
    let network = Model::on(0, DType::F32, CPU, move |vb| {
        ResNet::new(params.clone(), vb)
    })?;
    let parameters = network.parameters();
    let x = Rng::new(1).uniform((4, 3, 8, 8), 0., 1., DType::F32, CPU)?;
    // Statistics of these images, or every feature might be 0 in evaluation mode.
    for _ in 0..30 {
        network.forward(&x)?;
    }
    let data = Dataset::new(x, Tensor::new(&[0u32, 1, 0, 1], CPU)?)?;
    let x = &data.inputs;
    let statistics = || -> Vec<f64> {
        let named = parameters.named();
        named
            .iter()
            .filter(|(name, _)| name.contains("running"))
            .flat_map(|(_, var)| values(var))
            .collect()
    };
    let before = statistics();
    let features = Representation::Stage(6);
    let own = WithoutEvaluation(network.clone());
    for refused in [
        message(metrics::accuracy(&own, &data)),
        message(gradient(&own, &CrossEntropy, &data)),
        message(Pgd::default().attack(&own, &data, 0.1)),
        message(lipschitz::jacobian_norms(&own, features, x)),
        message(lipschitz::cross_entropy_gradient(&own, features, &data)),
    ] {
        assert_eq!(
            refused,
            "network is in training mode; expected one in evaluation mode; \
             give it a `frozen` that leaves training mode"
        );
    }
    assert_eq!(
        message(network.digest()),
        "network is in training mode; expected one in evaluation mode, as freeze() gives it"
    );

    // The model in training mode and its frozen network are asked the same; representations may
    // have any shape, and another weight is another digest.
    let frozen = frozen(&network)?;
    let (of_model, of_frozen) = (
        Pgd::default().attack(&network, &data, 0.1)?,
        Pgd::default().attack(&frozen, &data, 0.1)?,
    );
    assert_eq!(
        values(&of_model.data.inputs),
        values(&of_frozen.data.inputs)
    );
    assert_eq!(
        metrics::accuracy(&network, &data)?,
        metrics::accuracy(&frozen, &data)?
    );
    for index in 1..=7 {
        let representation = Representation::Stage(index);
        let found = lipschitz::cross_entropy_gradient(&network, representation, &data)?;
        for bound in found.bounds {
            assert!(
                bound.gradient > 0. && bound.gradient <= bound.bound * (1. + 1e-4),
                "{index}: {bound:?}"
            );
        }
    }
    assert_eq!(statistics(), before);
    assert_eq!(frozen.digest()?, network.freeze()?.freeze()?.digest()?);
    let bias = &parameters.named()["layer4.1.bn2.bias"];
    bias.set(&(bias.as_tensor() + 1e-3)?)?;
    assert_ne!(frozen.digest()?, network.freeze()?.freeze()?.digest()?);
    Ok(())
}
