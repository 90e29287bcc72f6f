//! The isometry experiment with convolutions and on other images than MNIST's, at the smallest sizes.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::datasets::{Dataset, Split};
use isopath::experiments::isometry_mnist::{
    Elsewhere, Robustness, Settings, fgsm_curves, pgd_curves, train_networks,
};
use isopath::models::{Activation, Mlp, Model, Network as _};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::training::{Optimizer, TrainParams, train};

/// Two classes of images of `shape` (channels, height, width): red or blue, with noise.
fn images([channels, height, width]: [usize; 3], count: usize) -> Result<Split> {
    let part = |count: usize, seed: u64| -> Result<Dataset> {
        let labels: Vec<u32> = (0..count as u32).map(|i| i % 2).collect();
        let noise = Rng::new(seed).uniform(
            (count, channels, height * width),
            0.,
            0.4,
            DType::F32,
            &Device::Cpu,
        )?;
        let bright = |label: &u32| {
            let place = 2 * *label as usize;
            (0..channels).map(move |i| f32::from(i == place))
        };
        let colors: Vec<f32> = labels.iter().flat_map(bright).collect();
        let colors = Tensor::from_vec(colors, (count, channels, 1), &Device::Cpu)?;
        let pixels = noise.broadcast_add(&(colors * 0.6)?)?;
        Dataset::new(
            pixels.reshape((count, channels, height, width))?,
            Tensor::from_vec(labels, count, &Device::Cpu)?,
        )
    };
    Ok(Split {
        train: part(count, 1)?,
        test: part(20, 2)?,
    })
}

fn settings() -> Settings {
    Settings {
        channels: vec![3, 4, 6],
        sizes: vec![6 * 2 * 2, 8, 8, 2],
        seeds: vec![3],
        train_images: 40,
        epochs: 10,
        batch_size: 10,
        learning_rate: 0.01,
        test_images: 20,
        pgd_images: 10,
        step_sizes: vec![0.01, 0.1, 0.5],
        eps: 0.5,
        progress: Progress::Hidden,
        ..Settings::cifar10(Scale::Quick)
    }
}

#[test]
fn a_network_with_convolutions_goes_through_the_experiment() -> Result<()> {
    let (data, settings) = (images([3, 8, 8], 40)?, settings());
    let networks = train_networks(&data, &settings)?;
    let plain = networks.get(&0., 3)?;
    assert_eq!(plain.network.channels(), [3, 4, 6]);
    assert_eq!(plain.test_accuracy, 1.);
    let isometric = networks.get(&0.1, 3)?;
    assert!(isometric.isometric_loss < plain.isometric_loss);

    let robustness = Robustness {
        fgsm: fgsm_curves(&networks, &data.test, &settings)?,
        pgd: pgd_curves(&networks, &data.test, &settings)?,
    };
    // At β = 0 both losses are one. The longest steps change what the images show.
    let fgsm = robustness.fgsm.at(0.01)?;
    assert_eq!(fgsm.cross_entropy[0], fgsm.training_loss[0]);
    let misled = robustness.pgd.at(0.5)?.cross_entropy[0][0];
    assert!(misled < fgsm.cross_entropy[0][0], "{misled}");

    let elsewhere = Elsewhere::new("colours", &settings, &networks, robustness);
    let table = elsewhere.table(0.02)?;
    assert_eq!(
        table.caption,
        "colours: accuracy under FGSM, α = 0.100, and PGD, α = 0.100, ε = 0.500"
    );
    let betas: Vec<&str> = table.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(betas, ["0", "0.1"]);
    assert!(
        table
            .rows
            .iter()
            .all(|row| row.len() == table.columns.len())
    );
    let at = elsewhere.fgsm.at(0.02)?;
    assert_eq!(table.rows[1][3], format!("{:.3}", at.cross_entropy[1][0]));
    assert_eq!(table.rows[1][4], format!("{:.3}", at.training_loss[1][0]));
    assert!(elsewhere.table(0.6).is_err());
    Ok(())
}

#[test]
fn only_the_first_images_are_learnt() -> Result<()> {
    let (all, first) = (images([3, 8, 8], 60)?, images([3, 8, 8], 60)?);
    let few = Settings {
        train_images: 30,
        epochs: 2,
        ..settings()
    };
    let part = Split {
        train: first.train.first(30)?,
        ..first
    };
    let losses = |data: &Split, settings: &Settings| -> Result<Vec<f64>> {
        let networks = train_networks(data, settings)?;
        let runs = networks.runs.iter();
        Ok(runs.map(|run| run.result.history.epochs[1].loss).collect())
    };
    let every = Settings {
        train_images: 60,
        ..few.clone()
    };
    assert_eq!(losses(&all, &few)?, losses(&part, &every)?);
    assert_ne!(losses(&all, &few)?, losses(&all, &every)?);
    Ok(())
}

/// MNIST's networks are those of before there were convolutions.
#[test]
fn without_convolutions_the_network_is_fully_connected() -> Result<()> {
    let flat = |part: Dataset| part.reshaped(&[12]);
    let Split { train: own, test } = images([3, 2, 2], 40)?;
    let data = Split {
        train: flat(own)?,
        test: flat(test)?,
    };
    let settings = Settings {
        channels: Vec::new(),
        sizes: vec![12, 8, 8, 2],
        betas: vec![0.1],
        epochs: 2,
        ..settings()
    };
    let networks = train_networks(&data, &settings)?;
    let (sizes, initialisation) = (settings.sizes.clone(), settings.initialisation);
    let plain = Model::on(3, DType::F32, &Device::Cpu, move |vb| {
        Mlp::initialised(&sizes, Activation::Tanh, initialisation, vb)
    })?;
    let params = TrainParams {
        epochs: 2,
        batch_size: 10,
        optimizer: Optimizer::adam(0.01),
        seed: 3,
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    train(&plain, &data.train, &settings.loss(0.1), &params)?;
    let inputs = &data.test.inputs;
    let logits = plain.forward(inputs)?.to_vec2::<f32>()?;
    let network = &networks.get(&0.1, 3)?.network;
    assert_eq!(network.forward(inputs)?.to_vec2::<f32>()?, logits);
    Ok(())
}

/// The public code of the paper's authors: `Results/HRIM_CIFAR10.py` and `Results/HRIM_FMNIST.py`.
#[test]
fn the_settings_are_those_of_the_authors_code() -> Result<()> {
    let photographs = Settings::cifar10(Scale::Paper);
    assert_eq!(photographs.channels, [3, 128, 256]);
    assert_eq!(
        photographs.sizes,
        [32 * 32 * 256 / 16, 1_000, 1_000, 1_000, 1_000, 10]
    );
    let clothes = Settings::fashion_mnist(Scale::Paper);
    assert_eq!(clothes.sizes, [784, 100, 100, 100, 100, 100, 10]);
    assert!(clothes.channels.is_empty());
    for settings in [photographs, clothes] {
        assert_eq!((settings.epochs, settings.batch_size), (10, 100));
        assert_eq!((settings.learning_rate, settings.scale), (1e-3, 1.));
        let steps = settings.step_sizes;
        assert_eq!((steps.len(), steps[0], steps[9]), (10, 0.01, 1.));
    }
    Ok(())
}

#[test]
fn the_quick_network_fits_the_images_of_cifar10() -> Result<()> {
    let data = images([3, 32, 32], 20)?;
    let settings = Settings {
        betas: vec![0.1],
        progress: Progress::Hidden,
        ..Settings::cifar10(Scale::Quick)
    };
    let networks = train_networks(&data, &settings)?;
    let network = &networks.get(&0.1, 0)?.network;
    assert_eq!(network.forward(&data.test.inputs)?.dims(), [20, 10]);

    let other = Settings {
        channels: vec![3, 8, 15],
        ..settings
    };
    assert!(train_networks(&data, &other).is_err());
    Ok(())
}
