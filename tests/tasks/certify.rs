//! Exact lines as tasks give the records of one machine.

use isopath::Result;
use isopath::candle::{DType, Device};
use isopath::datasets::Dataset;
use isopath::experiments::certify::{Certify, ExactRecords, Settings, certify};
use isopath::experiments::connectivity_cifar10;
use isopath::experiments::tasks::{Collected, Experiment as _};
use isopath::metrics::predictions;
use isopath::models::{Model, ResNet, ResNetParams};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use serde_json::json;

use crate::made_up::{run_and_collect, without_times};

#[test]
fn records_are_those_of_one_machine() -> Result<()> {
    let params = ResNetParams {
        classes: 2,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 2)?
    };
    let build = move |vb| ResNet::new(params.clone(), vb);
    let network = Model::on(3, DType::F32, &Device::Cpu, build)?;
    let images = Rng::new(4).uniform((40, 3, 4, 4), 0., 1., DType::F32, &Device::Cpu)?;
    let answers = predictions(&network, &images)?;
    let data = Dataset::new(images, answers)?.with_classes(["a", "b"])?;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        count: 2,
        connect: connectivity_cifar10::Settings {
            side: 4,
            max_iterations: 10,
            ..connectivity_cifar10::Settings::of(Scale::Quick)
        },
        folder: folder.path().join("records"),
        weights_sha256: "abc".into(),
        command: "the same".into(),
        progress: Progress::Hidden,
        ..Settings::default()
    };
    certify(&network, &data, &settings, &mut |_| ())?;
    let expected = ExactRecords::read(&settings.folder)?;
    let experiment = Certify::new(Scale::Quick)?.with(settings, data, &network)?;
    let texts = run_and_collect(&experiment, folder.path(), 2)?;
    assert_eq!(texts.len(), 1);
    let out = folder.path().join("out");
    let collected = Collected::find_in(&out, &experiment)?.unwrap();
    let results = experiment.results(&collected.finished())?;
    assert_eq!(
        without_times(results[0].1.clone()),
        without_times(json!(expected.records))
    );
    // And as `isopath certify --merge` writes them.
    let read = ExactRecords::read(out.join("certify.json"))?;
    assert_eq!(read.records.len(), 4);
    Ok(())
}
