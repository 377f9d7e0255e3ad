//! Data sets in the registry: those that the program knows, and those that say
//! themselves where they lie, such as folders of a user's own. A sweep asks for
//! the same data for every cell, so that what was read last is kept.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Card, ComponentError, Entry, Kind, Registry, Resolved, resolve};
use crate::{
    config::Named,
    data::{self, DataError, Dataset, DatasetRule, IdxFolder, Source},
};

/// A data set that is not read yet.
#[derive(Clone)]
pub struct DatasetFactory {
    /// Whether it is looked for beside the experiment's file first.
    pub is_beside: bool,
    read: Arc<Read>,
}

/// Reads a data set from the first of these folders that holds it.
type Read = dyn Fn(&[PathBuf]) -> Result<Loaded, DataError> + Send + Sync;

/// The data set that was read last, and what was asked for.
#[derive(Default)]
pub struct Shelf(Mutex<Option<(Request, Loaded)>>);

type Request = (Named, Vec<PathBuf>);
type Loaded = (Dataset, Named);

impl Shelf {
    /// The data set that `asked` resolved to, from the first of `roots` that holds it, and its name with all that is
    /// known now.
    ///
    /// # Errors
    /// [`DataError`], also for one that [`Dataset::check`] refuses.
    pub fn read(&self, asked: Resolved<DatasetFactory>, roots: Vec<PathBuf>) -> Result<Loaded, DataError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Resolved { component, named } = asked;
        let request = (named, roots);
        if let Some((before, loaded)) = &*last
            && *before == request
        {
            return Ok(loaded.clone());
        }
        // Two data sets at once would need twice the memory.
        *last = None;
        let loaded = (component.read)(&request.1)?;
        loaded.0.check()?;
        Ok(last.insert((request, loaded)).1.clone())
    }
}

impl Registry {
    /// Adds a data set from outside.
    pub fn add_dataset<D: DatasetRule>(&mut self) {
        self.datasets.add(|rule: D| {
            rule.check()?;
            let read = move |roots: &[PathBuf]| {
                let mut rule = rule.clone();
                Ok((rule.load(roots)?, resolve::in_full(&rule)))
            };
            Ok(DatasetFactory { is_beside: true, read: Arc::new(read) })
        });
    }
}

/// Adds the data sets that may be named.
pub(super) fn register(registry: &mut Registry) {
    registry.datasets.entries.extend(data::built_in().map(built_in));
    registry.add_dataset::<IdxFolder>();
}

fn built_in(source: &'static dyn Source) -> Entry<DatasetFactory> {
    let make = move |_: &Kind<DatasetFactory>, named: &Named, _| {
        if let Some(key) = named.parameters.keys().next() {
            let message = format!("`{}` has no parameters; `{key}` is given", named.name);
            return Err(ComponentError::whole(message));
        }
        let record = named.clone();
        let read = move |roots: &[PathBuf]| Ok((source.load(roots)?, record.clone()));
        let component = DatasetFactory { is_beside: false, read: Arc::new(read) };
        Ok(Resolved { component, named: named.clone() })
    };
    Entry { card: Card::of_dataset(&source.about()), make: Arc::new(make) }
}
