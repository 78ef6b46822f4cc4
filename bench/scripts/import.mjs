import 'genpoll'
