//! Plugins as WebAssembly components: compiled once, kept as machine code, instantiated as often as there are shards.
//!
//! In: an artifact's bytes. Out: a way to start instances that play a role of the contract. Only this folder knows wasmtime.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use wasmtime::{
    Engine,
    component::{Component, HasSelf, InstancePre, Linker},
};

mod bindings;
mod cache;
mod collector;
mod engine;
mod exchange;
mod handler;
mod instance;
mod policy;

use self::{
    bindings::handler::qkdn::manager::host, cache::CodeCache, collector::CollectorProgram, exchange::ExchangeProgram,
    handler::HandlerProgram, instance::Guest, policy::PolicyProgram,
};
use super::{
    artifact::Artifact, collector::StartCollector, exchange::StartExchange, handler::StartHandler, policy::StartPolicy,
};

/// The records of the contract, as generated from the WIT: what native plugins speak in, too.
pub(super) mod wit {
    pub(in crate::plugin) use super::bindings::{
        handler::{exports::qkdn::manager::handler, qkdn::manager::types},
        policy::exports::qkdn::manager::policy,
    };
}

/// Compiles and links components.
pub(super) struct Runtime {
    engine: Engine,
    linker: Linker<Guest>,
    cache: CodeCache,
    compiled: Mutex<HashMap<String, Weak<Compiled>>>,
}

/// Names of a component's imports and exports, with their versions.
pub(super) struct Shape {
    /// What it wants.
    pub(super) imports: Vec<String>,
    /// What it offers.
    pub(super) exports: Vec<String>,
}

/// Machine code, shared by every configured plugin with the same bytes.
struct Compiled(Component);

impl Runtime {
    /// Starts the engine, which counts instructions or does not, and opens the cache of compiled code.
    pub(super) fn start(cache_dir: &Path, counts: bool) -> Result<Self, String> {
        let failed = |error: wasmtime::Error| format!("{error:#}");
        let engine = engine::start(counts).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        host::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest).map_err(failed)?;
        let cache = CodeCache::open(cache_dir, &engine);
        Ok(Self { engine, linker, cache, compiled: Mutex::default() })
    }

    /// Makes instances of a handler. The error is the rest of a sentence about the plugin.
    pub(super) fn handler(&self, artifact: Artifact) -> Result<StartHandler, String> {
        let compiled = self.compile(artifact)?;
        let program = HandlerProgram::new(self.link(&compiled)?).map_err(|error| compiled.lacks("handler", &error))?;
        // The code is kept alive, so that equal plugins find it.
        Ok(Box::new(move |setup| {
            let _ = &compiled;
            program.start(setup)
        }))
    }

    /// Makes instances of a policy. The error is the rest of a sentence about the plugin.
    pub(super) fn policy(&self, artifact: Artifact) -> Result<StartPolicy, String> {
        let compiled = self.compile(artifact)?;
        let program = PolicyProgram::new(self.link(&compiled)?).map_err(|error| compiled.lacks("policy", &error))?;
        Ok(Box::new(move |setup| {
            let _ = &compiled;
            program.start(setup)
        }))
    }

    /// Makes instances of an exchange policy. The error is the rest of a sentence about the plugin.
    pub(super) fn exchange(&self, artifact: Artifact) -> Result<StartExchange, String> {
        let compiled = self.compile(artifact)?;
        let program =
            ExchangeProgram::new(self.link(&compiled)?).map_err(|error| compiled.lacks("exchange", &error))?;
        Ok(Box::new(move |setup| {
            let _ = &compiled;
            program.start(setup)
        }))
    }

    /// Makes instances of a collector. The error is the rest of a sentence about the plugin.
    pub(super) fn collector(&self, artifact: Artifact) -> Result<StartCollector, String> {
        let compiled = self.compile(artifact)?;
        let program =
            CollectorProgram::new(self.link(&compiled)?).map_err(|error| compiled.lacks("collector", &error))?;
        Ok(Box::new(move |setup| {
            let _ = &compiled;
            program.start(setup)
        }))
    }

    /// What a component imports and exports, whatever it is. The error is the rest of a sentence about the plugin.
    pub(super) fn shape(&self, artifact: Artifact) -> Result<Shape, String> {
        let compiled = self.compile(artifact)?;
        let (kind, engine) = (compiled.0.component_type(), compiled.0.engine());
        let imports = kind.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let exports = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
        Ok(Shape { imports, exports })
    }

    /// Equal bytes are compiled once, also when several ask at the same time.
    fn compile(&self, artifact: Artifact) -> Result<Arc<Compiled>, String> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = compiled.get(&artifact.digest).and_then(Weak::upgrade) {
            return Ok(found);
        }
        compiled.retain(|_, code| code.strong_count() > 0);
        let digest = artifact.digest.clone();
        let component = self.cache.component(&self.engine, &digest, || artifact.into_component())?;
        let new = Arc::new(Compiled(component));
        compiled.insert(digest, Arc::downgrade(&new));
        Ok(new)
    }

    fn link(&self, compiled: &Compiled) -> Result<InstancePre<Guest>, String> {
        self.linker.instantiate_pre(&compiled.0).map_err(|error| {
            let text = format!("{error:#}");
            let what = if text.contains("`wasi:") {
                "imports WASI, and the manager gives plugins nothing of it: build it for wasm32-unknown-unknown"
            } else {
                "imports what the manager does not give plugins (it gives qkdn:manager/host@0.1.0)"
            };
            format!("{what} ({text})")
        })
    }
}

impl Compiled {
    /// The component lacks the export of the world that was asked for.
    fn lacks(&self, wanted: &str, error: &wasmtime::Error) -> String {
        let kind = self.0.component_type();
        let exports: Vec<&str> = kind.exports(self.0.engine()).map(|(name, _)| name).collect();
        let found = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        let is = |role: &str| {
            wanted != role && exports.iter().any(|name| name.starts_with(&format!("qkdn:manager/{role}@")))
        };
        let hint = match () {
            () if is("policy") => ": it is a policy and belongs into [[policies]]",
            () if is("handler") => ": it is a handler and belongs into [[handlers]]",
            () if is("exchange") => {
                ": it is an exchange policy and belongs into a file that `export` or `import` names"
            }
            () if is("collector") => ": it is a collector and belongs into [[collectors]]",
            () => "",
        };
        let version = if wanted == "collector" { "0.2.0" } else { "0.1.0" };
        format!("does not export qkdn:manager/{wanted}@{version}; it exports {found}{hint} ({error:#})")
    }
}
