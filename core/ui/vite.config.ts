/// <reference types="vitest/config" />
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// During development the manager is reached through the development server: QKDNM_API names it.
const manager = process.env['QKDNM_API'] ?? 'http://127.0.0.1:7100';

export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { '/api': { target: manager, changeOrigin: true } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
