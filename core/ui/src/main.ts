import { mount } from 'svelte';
import App from './App.svelte';
import { startClock } from './live/clock.svelte';
import { connection } from './live/connection.svelte';
import { router } from './live/router.svelte';
import { theme } from './live/theme.svelte';
import './styles/tokens.css';
import './styles/base.css';
import './styles/states.css';

theme.start();
router.start();
startClock();
connection.start();

mount(App, { target: document.getElementById('app')! });
