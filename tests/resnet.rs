//! Residual networks: torchvision's numbers, names and shapes; modes; bad weights.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use common::{CPU, assert_close, gradients_along, message, values, wave};
use isopath::candle::{DType, Tensor, Var, safetensors};
use isopath::models::resnet::{Block, ResNetParams, Stem};
use isopath::models::{Network, Parameters, ResNet};
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
    fn network(&self) -> Result<(ResNet, Parameters)> {
        let folder = tempfile::tempdir().unwrap();
        let (network, parameters) = random(&self.params, DType::F64)?;
        parameters.load(self.state_dict(folder.path())?)?;
        Ok((network, parameters))
    }
}

fn random(params: &ResNetParams, dtype: DType) -> Result<(ResNet, Parameters)> {
    let parameters = Parameters::new();
    let network = ResNet::new(params.clone(), parameters.builder(&Rng::new(1), dtype, CPU))?;
    Ok((network, parameters))
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
            let (trained, parameters) = fixture.network()?;
            let network = if mode == "evaluation" {
                trained.freeze()?
            } else {
                trained
            };
            assert_eq!(network.is_frozen(), mode == "evaluation");
            let x = Var::from_tensor(fixture.get("x"))?;
            let outputs = network.representations(&x)?;
            assert_eq!(outputs.len(), network.stages());
            for (index, output) in outputs.iter().enumerate() {
                assert_relative(output, fixture.get(&format!("{mode}.stage{index}")));
            }
            let logits = &outputs[6];
            let gradients = (logits * wave(logits.dims(), 0.)?)?.sum_all()?.backward()?;
            assert_relative(
                gradients.get(&x).unwrap(),
                fixture.get(&format!("{mode}.gradient")),
            );
            let named = parameters.named();
            for weight in ["conv1.weight", "layer2.0.bn1.weight"] {
                match gradients.get(&named[weight]) {
                    Some(gradient) => assert_relative(
                        gradient,
                        fixture.get(&format!("{mode}.gradient of {weight}")),
                    ),
                    None => assert!(network.is_frozen(), "{weight} has no gradient"),
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
    let network = fixture.network()?.0.freeze()?;
    let outputs = network.representations(fixture.get("x"))?;
    for stage in 1..7 {
        assert_eq!(
            values(&network.forward_from(stage, &outputs[stage - 1])?),
            values(&outputs[6])
        );
    }
    assert_eq!(
        outputs[ResNet::AFTER_FIRST_RESIDUAL_STAGE - 1].dims(),
        [3, 8, 6, 6]
    );
    assert_eq!(outputs[ResNet::AFTER_POOLING - 1].dims(), [3, 64]);
    Ok(())
}

#[test]
fn a_frozen_network_stays_as_it_is_and_only_its_input_gets_a_gradient() -> Result<()> {
    let (network, parameters) = fixture("basic")?.network()?;
    let frozen = network.freeze()?;
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
        let (_, parameters) = random(&ResNetParams::of_depth(depth)?, DType::F32)?;
        let named = parameters.named();
        let count: usize = named
            .iter()
            .filter(|(name, _)| !name.contains("running"))
            .map(|(_, var)| var.elem_count())
            .sum();
        assert_eq!((count, named.len()), (trainable, names));
    }
    let fixture = fixture("bottleneck")?;
    let (_, parameters) = random(&fixture.params, DType::F64)?;
    let shapes: BTreeMap<_, _> = parameters
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
    let (_, parameters) = random(&params, DType::F32)?;
    let named = parameters.named();
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
    let (network, parameters) = fixture.network()?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    parameters.save_as(&path, DType::F16)?;
    let (again, loaded) = random(&fixture.params, DType::F64)?;
    loaded.load(&path)?;
    for (name, var) in parameters.named() {
        let error = (var.as_detached_tensor() - loaded.named()[&name].as_detached_tensor())?
            .abs()?
            .max_all()?;
        assert!(error.to_scalar::<f64>()? < 1e-3, "{name}");
    }
    let x = fixture.get("x");
    let (a, b) = (
        values(&network.freeze()?.forward(x)?),
        values(&again.freeze()?.forward(x)?),
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
    let (network, _) = random(&ResNetParams::of_depth(50)?, DType::F32)?;
    let frozen = network.freeze()?;
    let x = Var::from_tensor(&Rng::new(2).uniform((2, 3, 224, 224), 0., 1., DType::F32, CPU)?)?;
    let outputs = frozen.representations(&x)?;
    let shapes: Vec<_> = outputs.iter().map(|output| output.dims()).collect();
    let expected: [&[usize]; 7] = [
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
        gradients_along(&outputs[6], &along, &[&x])?.remove(0),
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

    let (network, parameters) = random(&good, DType::F32)?;
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
        "stage is 7; expected below 7"
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
        Ok(message(parameters.load(&path)).replace(&format!("{}: ", path.display()), ""))
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
    assert!(message(parameters.load(&path)).contains("expected a whole safetensors file"));
    assert_eq!(values(&parameters.named()["fc.bias"]), before);
    Ok(())
}

#[test]
fn a_network_in_training_mode_is_asked_for_nothing() -> Result<()> {
    use isopath::attacks::{PgdParams, gradient, pgd};
    use isopath::losses::{CrossEntropy, Representation};
    use isopath::{lipschitz, metrics};

    let parameters = Parameters::new();
    let params = ResNetParams {
        classes: 2,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 4)?
    };
    let network = ResNet::new(params, parameters.builder(&Rng::new(0), DType::F32, CPU))?;
    let x = Rng::new(1).uniform((4, 3, 8, 8), 0., 1., DType::F32, CPU)?;
    // Statistics of these images, or every feature might be 0 in evaluation mode.
    for _ in 0..30 {
        network.forward(&x)?;
    }
    let labels = Tensor::new(&[0u32, 1, 0, 1], CPU)?;
    let statistics = || -> Vec<f64> {
        let named = parameters.named();
        named
            .iter()
            .filter(|(name, _)| name.contains("running"))
            .flat_map(|(_, var)| values(var))
            .collect()
    };
    let before = statistics();
    let features = Representation::Stage(5);
    for refused in [
        message(metrics::accuracy(&network, &x, &labels, 2)),
        message(gradient(&network, &CrossEntropy, &x, &labels)),
        message(pgd(
            &network,
            &CrossEntropy,
            &x,
            &labels,
            0.1,
            &PgdParams::default(),
        )),
        message(lipschitz::jacobian_norms(&network, features, &x)),
        message(lipschitz::cross_entropy_gradient(
            &network, features, &x, &labels,
        )),
        message(network.digest()),
    ] {
        assert_eq!(
            refused,
            "network is in training mode; expected one in evaluation mode, as freeze() gives it"
        );
    }
    assert_eq!(statistics(), before);

    // Frozen it is taken, its representations of any shape; another weight is another digest.
    let frozen = network.freeze()?;
    for stage in 0..7 {
        let found =
            lipschitz::cross_entropy_gradient(&frozen, Representation::Stage(stage), &x, &labels)?;
        for sides in found.sides {
            assert!(
                sides.gradient > 0. && sides.gradient <= sides.bound * (1. + 1e-4),
                "{stage}: {sides:?}"
            );
        }
    }
    assert_eq!(frozen.digest()?, network.freeze()?.digest()?);
    let bias = &parameters.named()["layer4.1.bn2.bias"];
    bias.set(&(bias.as_tensor() + 1e-3)?)?;
    assert_ne!(frozen.digest()?, network.freeze()?.digest()?);
    Ok(())
}
