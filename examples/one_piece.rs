//! Is a class one piece? Joins all cats among the first test images that a network gets right by
//! straight segments on which it sees a cat.
//!
//! `cargo run --example one_piece`

use isopath::paths::{RegionsParams, regions};
use isopath::prelude::*;

fn main() -> isopath::Result<()> {
    let network = pretrained::cifar10()?;
    let images = datasets::cifar10()?.test.first(1_000)?.of_class("cat")?;
    let cats = correctly_classified(&network, &images)?;
    let class = 3;
    let params = RegionsParams::default();
    let found = regions(
        &network,
        Representation::Input,
        &cats.inputs,
        class,
        &params,
    )?;
    let (tests, left) = (found.tests, found.left.len());
    println!(
        "{tests} segments between {} cats, {left} of which leave the class",
        found.points
    );
    for (index, component) in found.components.iter().enumerate() {
        let images = component.len();
        if let Some(diameter) = found.diameter(index) {
            println!(
                "{images} cats in one piece, at most {} segments apart",
                diameter.hops
            );
        }
    }
    Ok(())
}
