import './lib/locale';
import './styles/tokens.css';
import './styles/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { connect } from './lib/backend';

void connect().then(() => mount(App, { target: document.getElementById('app')! }));
