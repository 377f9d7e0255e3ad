//! What is typed: configuration files, `--set`, rule expressions. Every text is used or refused in words.

use std::{fs, path::Path};

use phalanx::{
    config::{self, Named},
    registry::Registry,
};
use phalanx_robust::describe::Preset;
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, Strategy, proptest},
    sample::select,
};

use crate::{
    damage::{damaged, damages},
    scale::largest,
};

const SEED: &str = include_str!("../../experiments/quickstart.toml");

/// No text of a few kilobytes needs more at once.
const MOST: usize = 1 << 21;

/// Texts made of what the grammars are made of.
fn texts() -> impl Strategy<Value = String> {
    let words = select(vec![
        "ctma",
        "cwmed",
        "krum",
        "nnm",
        "geometric-median",
        "power",
        "steps",
        "seed",
        "rounds",
        "workers",
        "0",
        "-1",
        "1e999",
        "nan",
        "inf",
        "18446744073709551616",
        "true",
        "\"",
        "'",
        "'''",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ",",
        ".",
        "..",
        "#",
        "\n",
        "\r",
        "\t",
        " ",
        "\\",
        "\\u0000",
        "\u{0}",
        "\u{feff}",
        "\u{202e}",
        "ü",
        "1979-05-27",
        "0x",
        "_",
        "/",
        "../",
        "name",
        "task",
        "base",
        "sweep",
        "machine.out",
        "attackers.0.attack",
    ]);
    vec(words, 0..24).prop_map(|words| words.concat())
}

fn load(folder: &Path, content: &[u8], sets: &[String]) {
    let file = folder.join("some.toml");
    fs::write(&file, content).unwrap();
    let (read, bytes) = largest(|| config::load(&file, sets));
    assert!(bytes <= MOST, "{bytes} bytes at once");
    if let Err(error) = read {
        let said = error.to_string();
        assert!(!said.is_empty() && said.len() < 20_000, "{said}");
    }
}

fn chain(registry: &Registry, text: &str) {
    let (named, bytes) = largest(|| Named::chain(text));
    assert!(bytes <= MOST, "{bytes} bytes at once");
    for named in named.into_iter().flatten() {
        if let Err(error) = registry.rules.make(&named, Preset::Paper) {
            assert!(!error.message.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_configurations(damages in damages()) {
        let folder = tempfile::tempdir().unwrap();
        load(folder.path(), &damaged(SEED.as_bytes(), &damages), &[]);
    }

    #[test]
    fn configurations_of_words(text in texts()) {
        let folder = tempfile::tempdir().unwrap();
        load(folder.path(), text.as_bytes(), &[]);
    }

    #[test]
    fn assignments(key in texts(), value in texts(), whole in texts()) {
        let folder = tempfile::tempdir().unwrap();
        load(folder.path(), SEED.as_bytes(), &[format!("{key}={value}"), whole.clone()]);
        load(folder.path(), SEED.as_bytes(), &[whole]);
    }

    #[test]
    fn expressions(text in texts()) {
        let registry = Registry::default();
        chain(&registry, &text);
        chain(&registry, &format!("[{text}]"));
        chain(&registry, &format!("{{ {text} }}"));
    }

    #[test]
    fn damaged_expressions(damages in damages()) {
        let seed = br#"["ctma", { bucketing = { size = 2 } }, { geometric-median = { steps = 3, nu = 0.1 } }]"#;
        chain(&Registry::default(), &String::from_utf8_lossy(&damaged(seed, &damages)));
    }

    #[test]
    fn names_that_are_accepted_name_one_folder(name in texts()) {
        if config::name_complaint(&name).is_none() {
            let path = Path::new(&name);
            assert_eq!(path.components().count(), 1);
            assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
        }
    }
}
