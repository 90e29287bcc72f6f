//! Fully connected networks and their weights.

mod common;

use std::collections::HashMap;

use common::{CPU, assert_close, build, message, values, wave};
use isopath::candle::{DType, Tensor};
use isopath::models::{Activation, Mlp, Network, Parameters};
use isopath::rng::Rng;
use isopath::{Error, Result};

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     n = torch.Size(shape).numel()
///     return torch.sin(torch.arange(n) + start).reshape(shape)
/// net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
/// with torch.no_grad():
///     for start, p in enumerate(net.parameters()):
///         p.copy_(wave(*p.shape, start=start))
/// print(net(wave(2, 3, start=0.5)).tolist())
/// ```
#[test]
fn logits_are_those_of_pytorch() -> Result<()> {
    let mlp = build(&[3, 4, 2], 0, DType::F64)?;
    let named = mlp.parameters().named();
    let order = [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
    ];
    assert_eq!(named.len(), order.len());
    for (start, name) in order.iter().enumerate() {
        named[*name].set(&wave(named[*name].dims(), start as f64)?)?;
    }
    let logits = mlp.forward(&wave(&[2, 3], 0.5)?)?;
    let expected = [
        1.2357966142263368,
        -0.7968223601337201,
        0.07204665091432169,
        -0.6179244377667654,
    ];
    assert_eq!(logits.dims(), [2, 2]);
    assert_close(&values(&logits), &expected, 1e-14);
    Ok(())
}

#[test]
fn stages_join_to_the_network() -> Result<()> {
    let mlp = build(&[784, 100, 100, 10], 3, DType::F32)?;
    let x = Rng::new(1).uniform((5, 784), 0., 1., DType::F32, CPU)?;
    let all = mlp.representations(&x)?;
    assert_eq!(
        all.iter().map(|t| t.dims().to_vec()).collect::<Vec<_>>(),
        [[5, 784], [5, 100], [5, 100], [5, 10]]
    );
    let logits = values(&mlp.forward(&x)?);
    assert_eq!(values(&all[0]), values(&x));
    assert_eq!(values(&all[3]), logits);
    for (index, representation) in all.iter().enumerate() {
        assert_eq!(values(&mlp.forward_from(index, representation)?), logits);
    }
    // Hidden stages end in tanh, the last one does not.
    assert!(values(&all[2]).iter().all(|v| v.abs() < 1.));
    // Pictures are flattened row by row.
    assert_eq!(values(&mlp.forward(&x.reshape((5, 1, 28, 28))?)?), logits);
    Ok(())
}

#[test]
fn initial_weights_follow_pytorchs_linear() -> Result<()> {
    let network = build(&[784, 100, 10], 5, DType::F32)?;
    let parameters = network.parameters();
    let named = parameters.named();
    assert_eq!(parameters.count(), 784 * 100 + 100 + 100 * 10 + 10);
    for (name, inputs) in [
        ("layers.0.weight", 784.),
        ("layers.0.bias", 784.),
        ("layers.1.weight", 100f64),
    ] {
        let (numbers, bound) = (values(&named[name]), 1. / inputs.sqrt());
        let n = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / n;
        let variance = numbers.iter().map(|v| v * v).sum::<f64>() / n;
        assert!(numbers.iter().all(|v| v.abs() <= bound), "{name}");
        // U(−b, b): variance b²/3; five standard errors.
        assert!(mean.abs() < 5. * bound / (3. * n).sqrt(), "{name}: {mean}");
        assert!(
            (variance * 3. / (bound * bound) - 1.).abs() < 5. * (0.8 / n).sqrt(),
            "{name}: {variance}"
        );
    }
    // Same seed, same weights; another seed, others; one layer's size does not move another's
    // weights.
    let same =
        |other: &Parameters, name: &str| values(&other.named()[name]) == values(&named[name]);
    assert!(same(
        build(&[784, 100, 10], 5, DType::F32)?.parameters(),
        "layers.0.weight"
    ));
    assert!(!same(
        build(&[784, 100, 10], 6, DType::F32)?.parameters(),
        "layers.0.weight"
    ));
    assert!(same(
        build(&[784, 100, 7], 5, DType::F32)?.parameters(),
        "layers.0.weight"
    ));
    Ok(())
}

#[test]
fn frozen_copy_keeps_its_weights_and_takes_no_gradient() -> Result<()> {
    let mlp = build(&[4, 3, 2], 0, DType::F64)?;
    let parameters = mlp.parameters();
    let x = isopath::candle::Var::from_tensor(&wave(&[2, 4], 0.)?)?;
    let frozen = mlp.freeze()?;
    let before = values(&frozen.forward(&x)?);
    assert_eq!(before, values(&mlp.forward(&x)?));

    let gradient = |network: &Mlp| -> Result<_> { Ok(network.forward(&x)?.sum_all()?.backward()?) };
    let (trained, plain) = (gradient(&mlp)?, gradient(&frozen)?);
    assert_eq!(
        values(trained.get(&x).unwrap()),
        values(plain.get(&x).unwrap())
    );
    assert_eq!(trained.get_ids().count(), 1 + parameters.vars().len());
    assert_eq!(plain.get_ids().count(), 1);

    for var in parameters.vars() {
        var.set(&var.zeros_like()?)?;
    }
    assert_eq!(values(&frozen.forward(&x)?), before);
    assert_ne!(values(&mlp.forward(&x)?), before);
    Ok(())
}

#[test]
fn weights_survive_a_file() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/weights.safetensors");
    let saved = build(&[4, 3, 2], 1, DType::F32)?;
    saved.save(&path)?;
    saved.save(&path)?;
    let loaded = build(&[4, 3, 2], 2, DType::F32)?;
    let x = wave(&[2, 4], 0.)?.to_dtype(DType::F32)?;
    let before = values(&loaded.forward(&x)?);
    let loaded = loaded.load(&path)?;
    let named = loaded.parameters().named();
    for (name, var) in saved.parameters().named() {
        assert_eq!(values(&var), values(&named[&name]), "{name}");
    }
    // The network itself sees the loaded weights.
    assert_ne!(values(&loaded.forward(&x)?), before);
    assert_eq!(values(&loaded.forward(&x)?), values(&saved.forward(&x)?));
    // Plain names and f32, for other tools; nothing else is left beside the file.
    let raw = isopath::candle::safetensors::load(&path, CPU)?;
    assert_eq!(raw["layers.1.weight"].dims(), [2, 3]);
    assert!(raw.values().all(|t| t.dtype() == DType::F32));
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );
    Ok(())
}

#[test]
fn files_that_do_not_fit_change_nothing() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let network = build(&[4, 3, 2], 1, DType::F32)?;
    let parameters = network.parameters();
    let original: HashMap<_, _> = parameters
        .named()
        .iter()
        .map(|(n, v)| (n.clone(), values(v)))
        .collect();
    parameters.save(&path)?;
    let good = isopath::candle::safetensors::load(&path, CPU)?;
    let whole = std::fs::read(&path).unwrap();

    type Change = fn(&mut HashMap<String, Tensor>);
    let changes: [(Change, &str); 5] = [
        (
            |t| drop(t.remove("layers.1.bias")),
            "no such tensor; expected a tensor layers.1.bias",
        ),
        (
            |t| drop(t.insert("extra".into(), t["layers.1.bias"].clone())),
            "also a tensor extra of shape [2]",
        ),
        (
            |t| drop(t.insert("layers.1.bias".into(), t["layers.0.bias"].clone())),
            "layers.1.bias has shape [3]; expected shape [2] for layers.1.bias",
        ),
        (
            |t| {
                drop(t.insert(
                    "layers.1.bias".into(),
                    Tensor::new(&[1f32, f32::NAN], CPU).unwrap(),
                ))
            },
            "NaN or ∞; expected finite numbers in layers.1.bias",
        ),
        (
            |t| {
                drop(t.insert(
                    "layers.1.bias".into(),
                    Tensor::new(&[1u32, 2], CPU).unwrap(),
                ))
            },
            "expected floats in",
        ),
    ];
    for (change, expected) in changes {
        let mut tensors = good.clone();
        tensors.insert(
            "layers.0.weight".into(),
            good["layers.0.weight"].zeros_like()?,
        );
        change(&mut tensors);
        isopath::candle::safetensors::save(&tensors, &path)?;
        let text = message(network.clone().load(&path));
        assert!(text.contains(expected) && !text.contains('\n'), "{text}");
    }
    for length in [0, 7, 100, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let text = message(network.clone().load(&path));
        assert!(
            text.contains("expected a whole safetensors file") && !text.contains('\n'),
            "{text}"
        );
    }
    assert!(matches!(
        network.clone().load(folder.path().join("none")),
        Err(Error::Io { .. })
    ));
    for (name, var) in parameters.named() {
        assert_eq!(values(&var), original[&name], "{name}");
    }
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    for sizes in [&[][..], &[3], &[3, 0, 2]] {
        assert!(message(build(sizes, 0, DType::F32)).starts_with("sizes is ["));
    }
    let mlp = build(&[4, 3, 2], 0, DType::F64)?;
    let parameters = mlp.parameters();
    assert_eq!(
        message(mlp.forward(&wave(&[2, 5], 0.)?)),
        "mlp: x has shape [2, 5]; expected (N, 4)"
    );
    assert_eq!(
        message(mlp.forward(&wave(&[4], 0.)?)),
        "mlp: x has shape [4]; expected (N, 4)"
    );
    assert_eq!(
        message(mlp.stage(2, &wave(&[2, 4], 0.)?)),
        "stage is 2; expected below 2"
    );
    // The same names with other sizes.
    let again = Mlp::new(
        &[4, 3, 3],
        Activation::Relu,
        parameters.builder(&Rng::new(0), DType::F64, CPU),
    );
    assert!(
        again
            .unwrap_err()
            .to_string()
            .contains("layers.1.weight has shape [2, 3]")
    );
    Ok(())
}
