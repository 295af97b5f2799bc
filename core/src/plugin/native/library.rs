//! A shared library, loaded for as long as the process lives: its entry, what it says about itself, its tables.

use std::sync::Arc;

use qkdn_plugin_abi::{ABI_VERSION, ENTRY, Entry, Handler, Plugin, Policy};

use super::{copies, crossing};
use crate::{
    config::PluginsConfig,
    plugin::{artifact::Artifact, wasm::wit::types::Description},
};

/// A loaded library.
pub(super) struct Library {
    /// What the plugin says about itself.
    pub(super) description: Description,
    handler: Option<Handler>,
    policy: Option<Policy>,
}

impl Library {
    /// Loads a library and reads its tables. The error is the rest of a sentence about the plugin.
    pub(super) fn open(artifact: Artifact, config: &PluginsConfig) -> Result<Arc<Self>, String> {
        if !config.allow_native {
            return Err("is a native library, which runs with all the manager's rights: \
                        set `plugins.allow_native = true` if you trust it"
                .to_owned());
        }
        let copy = copies::keep(&config.cache_dir, &artifact.digest, &artifact.bytes)
            .map_err(|error| format!("cannot be copied into plugins.cache_dir for loading: {error}"))?;
        // SAFETY: the operator trusts this library (`allow_native`), its initialisers included.
        let library = unsafe { libloading::Library::new(&copy) }
            .map_err(|error| format!("does not load as a shared library: {}", deepest(&error)))?;
        // SAFETY: the header gives the function of this name this type.
        let entry = unsafe { library.get::<Entry>(ENTRY) }.map(|entry| *entry).map_err(|_| {
            format!("does not export `{ENTRY}`: it is a shared library, but no plugin (see wit/v0.1/qkdn_plugin.h)")
        })?;
        // Nothing can know whether it left threads, callbacks or thread-local destructors behind.
        std::mem::forget(library);
        // SAFETY: as the header says; the library stays loaded.
        let plugin = unsafe { entry(ABI_VERSION) };
        if plugin.is_null() {
            return Err(format!("does not work with version {ABI_VERSION} of the native plugin interface"));
        }
        // SAFETY: what the entry returns is a `qkdn_plugin` that lives for ever; `sized` compares its size first.
        let Some(plugin) = (unsafe { crossing::sized::<Plugin>(plugin) }) else {
            return Err(
                "describes itself with a structure that is too short; was it built with this header?".to_owned()
            );
        };
        if plugin.abi_version != ABI_VERSION {
            return Err(format!(
                "is built for version {} of the native plugin interface; the manager has {ABI_VERSION}",
                plugin.abi_version
            ));
        }
        Self::read(&plugin).map(Arc::new)
    }

    fn read(plugin: &Plugin) -> Result<Self, String> {
        // SAFETY: texts and tables of a `qkdn_plugin` live for ever.
        let (texts, handler, policy) = unsafe {
            (
                [plugin.name, plugin.version, plugin.summary, plugin.config_schema].map(|text| crossing::text(text)),
                (!plugin.handler.is_null()).then(|| crossing::sized::<Handler>(plugin.handler)),
                (!plugin.policy.is_null()).then(|| crossing::sized::<Policy>(plugin.policy)),
            )
        };
        let [Some(name), Some(version), Some(summary), Some(config_schema)] = texts else {
            return Err("describes itself with a text that is not UTF-8".to_owned());
        };
        let short = "has a table that is too short; was it built with this header?";
        Ok(Self {
            description: Description { name, version, summary, config_schema, extra: Vec::new() },
            handler: handler.map(|table| table.ok_or(short)).transpose()?,
            policy: policy.map(|table| table.ok_or(short)).transpose()?,
        })
    }

    /// The table of its handler.
    pub(super) fn handler(&self) -> Result<Handler, String> {
        self.handler.ok_or_else(|| match self.policy {
            Some(_) => "is no handler: it is a policy and belongs into [[policies]]".to_owned(),
            None => "is neither a handler nor a policy".to_owned(),
        })
    }

    /// The table of its policy.
    pub(super) fn policy(&self) -> Result<Policy, String> {
        self.policy.ok_or_else(|| match self.handler {
            Some(_) => "is no policy: it is a handler and belongs into [[handlers]]".to_owned(),
            None => "is neither a handler nor a policy".to_owned(),
        })
    }
}

/// What the loader itself says.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
